"""Compile functions for this machine with numba: cached per user, announced when it takes time."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["available", "compiled"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_SOURCES = (
    *("compare_kernels.py", "compiled.py", "compiled_block.py", "half_precision.py", "half_product.py"),
    *("lanes.py", "quant/search_kernels.py"),
)
"""The modules that have compiled functions, or that these are made with."""


def available() -> bool:
    """Whether compiled code can be had here: numba is installed, and the host is little-endian."""
    return sys.byteorder == "little" and importlib.util.find_spec("numba") is not None


def compiled(*, reassociate: bool = False) -> Callable[[_Function], _Function]:
    """Return a decorator that compiles a function at its first call, releases the GIL and caches the result.

    Parameters
    ----------
    reassociate
        Let sums be taken in another order, in the lanes of a vector, and products be fused with sums.
        Nothing else is relaxed, and nothing at all without it: values that are not finite propagate.
    """
    import numba

    _prepare()
    fastmath = {"reassoc", "nsz", "contract"} if reassociate else False

    def decorate(function: _Function) -> _Function:
        made: _Function = numba.njit(
            cache=_cached(),
            nogil=True,
            fastmath=fastmath,
            error_model="numpy",  # a division by zero is a value, not an exception
        )(function)
        return made

    return decorate


def _cached() -> bool:
    import numba

    return bool(numba.config.CACHE_DIR)


def _prepare() -> None:
    """Point numba's cache at a folder of the user's, and have compilations announced; done once."""
    import numba
    from numba.core import event

    if getattr(_prepare, "done", False):
        return
    _prepare.done = True  # type: ignore[attr-defined]
    if not numba.config.CACHE_DIR:  # NUMBA_CACHE_DIR, where the user has set it, holds
        numba.config.CACHE_DIR = _folder()
    _prefer_wide_vectors()
    event.register("numba:compile", _announcement())


def _prefer_wide_vectors() -> None:
    """Use 512-bit vectors where the CPU has them; on many LLVM avoids them, which suits other code."""
    import numba
    from llvmlite import binding
    from numba.core import codegen

    if numba.config.CPU_NAME is not None or numba.config.CPU_FEATURES is not None:
        return  # NUMBA_CPU_NAME and NUMBA_CPU_FEATURES, where the user has set them, hold
    if numba.config.ENABLE_AVX and binding.get_host_cpu_features().get("avx512f", False):
        numba.config.CPU_FEATURES = f"{codegen.get_host_cpu_features()},-prefer-256-bit"


def _revision() -> str:
    """Name the sources of all compiled functions.

    numba compiles a function again when its own file has changed, not when one that it calls has. As numba
    does, this goes by times and sizes: in a check, to read a module that it does not import is an error.
    """
    import numba

    digest = hashlib.sha256(numba.__version__.encode())
    for name in _SOURCES:
        status = (Path(__file__).parent / name).stat()
        digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _folder() -> str:
    """Return a folder that can be written for compiled code, or nothing: then each process compiles."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    folder = Path(home) / "pv" / "numba" / _revision()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return str(folder)
    except OSError:
        return ""


def _announcement() -> Any:
    from numba.core import event

    class Announcement(event.Listener):  # type: ignore[misc]
        """Says once on stderr that the wait is a compilation; loading from the cache is no event."""

        said = False

        def on_start(self, _: object) -> None:
            if not self.said:
                self.said = True
                print("compiling for this machine, once (some seconds)", file=sys.stderr, flush=True)

        def on_end(self, _: object) -> None:
            pass

    return Announcement()
