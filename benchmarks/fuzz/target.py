"""A format that is fuzzed: what valid inputs look like, how they are damaged, and what reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

__all__ = ["Target"]


def _as_it_is(data: bytes, _: Random) -> bytes:
    return data


@dataclasses.dataclass(frozen=True)
class Target:
    """One format.

    Parameters
    ----------
    seeds
        Valid inputs, all of which `read` accepts.
    made
        Builds a typed valid input, damages one to three of its fields, and serialises it.
    read
        Puts an input into a folder that is its own and reads all that a command would read of it: what
        is accepted must be usable. Ends in one of `errors`, or returns.
    errors
        The error type, or types, of the layer: everything else that is raised has escaped.
    mended
        Makes right again what a hostile writer makes right: checksums, seals.
    words
        Pieces that mean something in the format, to be put into inputs.
    """

    seeds: Callable[[], Sequence[bytes]]
    made: Callable[[Random], bytes]
    read: Callable[[bytes, Path], None]
    errors: tuple[type[BaseException], ...]
    mended: Callable[[bytes, Random], bytes] = _as_it_is
    words: tuple[bytes, ...] = ()
