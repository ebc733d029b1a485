"""The collector of garbage, where there is none to collect."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["uncollected"]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Do without the collector within: one short pass over trees that all live to its end.

    Of such a command it takes a tenth of the time, and more where there is more to look through.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor need the interpreter look through them as it ends
        gc.enable()
