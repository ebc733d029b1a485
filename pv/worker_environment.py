"""The environment in which checks run: that of the engine, without what would make two hosts differ."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["worker_environment"]

_KEPT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "OMP_NUM_THREADS"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "HF_HOME", "HF_HUB_CACHE", "TRITON_CACHE_DIR"),
)


def worker_environment() -> dict[str, str]:
    """Return the variables of the process that runs checks, which is `sys.executable` with -P.

    PYTHONPATH is not handed on. PV_PACKAGES is: a folder of packages beside the interpreter's own, on a host
    where nothing can be installed.
    """
    paths = [str(Path(__file__).resolve().parent.parent), os.environ.get("PV_PACKAGES", "")]
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONHASHSEED": "0",
        # CUDA counts the fastest first unless told otherwise; nvidia-smi, whose word we take, by bus.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
