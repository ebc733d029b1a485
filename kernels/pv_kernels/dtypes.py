"""The element types that kernels are written for. There is no catch-all: another type is an error by name."""

from __future__ import annotations

import torch

from pv_kernels.errors import UnknownDtypeError

__all__ = ["FLOATS", "triton_name"]

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
"""What activations and unquantised weights are kept in."""

_TRITON = {
    torch.float32: "fp32",
    torch.float16: "fp16",
    torch.bfloat16: "bf16",
    torch.uint8: "u8",
    torch.int32: "i32",
    torch.int64: "i64",
}


def triton_name(dtype: torch.dtype) -> str:
    """Return what Triton calls `dtype`, as in ``*bf16``.

    Raises
    ------
    UnknownDtypeError
        No kernel is written for it.
    """
    try:
        return _TRITON[dtype]
    except KeyError:
        known = ", ".join(str(known) for known in _TRITON)
        raise UnknownDtypeError(f"{dtype}: kernels are written for {known}") from None
