"""What a piece of code launches: torch's operators that compute, and the kernels that a GPU ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["OWN_KERNELS", "PRODUCTS", "CountedOperators", "profiled_kernels"]

OWN_KERNELS = frozenset(
    {
        "add_rms_norm_kernel",
        "attention_kernel",
        "combine_splits_kernel",
        "decode_attention_kernel",
        "q4k_gemv_kernel",
        "q6k_gemv_kernel",
        "q8_0_gemv_kernel",
        "rms_norm_kernel",
        "rope_kernel",
        "swiglu_kernel",
    }
)
"""Names under which a GPU runs what `TritonDecoder` launches."""

PRODUCTS = frozenset({"addmm", "bmm", "linear", "matmul", "mm", "mv"})
"""Names of torch's operators that are products with a matrix."""

_ALLOCATING = frozenset({"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"})
_VIEWING = frozenset({"_unsafe_view", "detach", "_reshape_alias"})


class CountedOperators(TorchDispatchMode):
    """Counts the operators below it that compute: neither views nor buffers that nothing was written to.

    Attributes
    ----------
    launching
        Name of each such operator, such as ``"mm"``, to how often it was called.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.launching: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Count `func`, and call it."""
        del types
        if _computes(func):
            self.launching[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def _computes(func: Any) -> bool:
    """Whether an operator writes values: a view's results alias what went in, and are not written."""
    if func.overloadpacket.__name__ in _ALLOCATING | _VIEWING:
        return False
    aliases = [each.alias_info for each in func._schema.returns]  # noqa: SLF001  torch has no other way
    return not (aliases and all(each is not None and not each.is_write for each in aliases))


def profiled_kernels(work: Callable[[], object]) -> list[str]:
    """Return the names of the kernels that a GPU runs in `work`, copies and fills by the driver left out.

    Kernels of a graph that is replayed are named one by one.
    """
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        work()
        torch.cuda.synchronize()
    on_gpu = [event for event in profile.events() if event.device_type.name == "CUDA"]
    return [event.name for event in on_gpu if not event.name.startswith(("Memcpy", "Memset"))]
