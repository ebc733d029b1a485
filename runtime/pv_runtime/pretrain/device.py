"""Which processor computes: asked for by name, and never another one than was asked for.

Whether there is a GPU is asked of the driver, which needs neither torch nor a context on the GPU, so that a
wrong ``--device`` ends at once.
"""

from __future__ import annotations

import ctypes
import dataclasses
import re
from collections.abc import Callable

from pv_runtime.pretrain.errors import TrainingError, UsageError

__all__ = ["Device", "driver_gpus", "resolve"]

_GRAMMAR = re.compile(r"auto|cpu|cuda(?::(?P<index>[0-9]|1[0-5]))?")


@dataclasses.dataclass(frozen=True, slots=True)
class Device:
    """What computes.

    Parameters
    ----------
    name
        ``"cpu"`` or ``"cuda:N"``, as torch spells it.
    reason
        Why this one, in words; for ``auto`` what was found.
    """

    name: str
    reason: str

    @property
    def is_cuda(self) -> bool:
        """Whether it is a GPU."""
        return self.name.startswith("cuda")

    @property
    def kind(self) -> str:
        """``"cpu"`` or ``"cuda"``."""
        return self.name.partition(":")[0]


def driver_gpus() -> int:
    """Return how many GPUs NVIDIA's driver lets this process use; 0 without a driver.

    Source: the CUDA driver API, ``cuInit`` and ``cuDeviceGetCount``, which heed CUDA_VISIBLE_DEVICES.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return max(count.value, 0)


def _torch_has_cuda() -> bool:
    import torch

    return torch.version.cuda is not None


def resolve(
    asked: str,
    *,
    gpus: Callable[[], int] = driver_gpus,
    built_with_cuda: Callable[[], bool] = _torch_has_cuda,
) -> Device:
    """Turn ``--device`` into a device.

    Parameters
    ----------
    asked
        ``auto``, ``cpu``, ``cuda`` or ``cuda:0`` to ``cuda:15``.
    gpus
        Counts the GPUs of this host.
    built_with_cuda
        Whether this torch can use one.

    Raises
    ------
    UsageError
        It is spelt otherwise.
    TrainingError
        A GPU was asked for by name, and there is none, not so many, or torch cannot use it.
    """
    match = _GRAMMAR.fullmatch(asked)
    if match is None:
        raise UsageError(
            "device-grammar", f"--device cannot be {asked!r}", "say auto, cpu, cuda, or cuda:0 to cuda:15"
        )
    if asked == "cpu":
        return Device("cpu", "asked for")
    found = gpus()
    if asked == "auto":
        if found and built_with_cuda():
            return Device("cuda:0", f"the first of {found} GPUs")
        return Device("cpu", "torch was built without CUDA" if found else "no GPU is seen by the driver")
    index = int(match["index"] or 0)
    if index >= found:
        what = f"there are {found} GPUs" if found else "the driver sees no GPU"
        raise TrainingError(
            "device-absent",
            f"--device {asked} was asked for, and {what}; nothing else is computed on instead",
            "run `nvidia-smi` to see what there is, or say --device cpu",
        )
    if not built_with_cuda():
        raise TrainingError(
            "device-absent",
            f"--device {asked} was asked for, and the torch that is installed was built without CUDA",
            "install a torch with CUDA, or say --device cpu",
        )
    return Device(f"cuda:{index}", "asked for")
