"""Step over GGUF's arrays of strings: each is an 8-byte length and that many bytes, one after another.

Where the thousandth string begins only the 999 before it say, so that stepping is a loop; a vocabulary
with its merges has 300 000. Here the lengths are guessed all at once and the guess is then checked,
which is exact and some ten times as fast; where the guess fails, the loop goes on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pv_runtime.quant.scheme import Bytes

__all__ = ["step_over_strings"]

_WINDOW = 1 << 20
_LENGTH = struct.Struct("<Q")


def step_over_strings(copy: Callable[[int, int], bytes], end: int, position: int, count: int) -> int | None:
    """Return where `count` strings that begin at `position` end; None if that is beyond `end`.

    `copy` returns so many bytes from such a place. Time grows with the strings and the bytes that they
    span, memory with neither.
    """
    while count:
        begin, window = position, min(position + _WINDOW, end)
        data = copy(begin, window - begin)
        starts = _guessed_starts(np.frombuffer(data, np.uint8))
        stepped = min(len(starts) - 1, count)
        if stepped > 0:
            position += int(starts[stepped])
            count -= stepped
        while count and position < window:  # what the guess did not reach: the last, long or odd ones
            if position + 8 > end:
                return None
            inside = position - begin
            if inside + 8 > len(data):  # the length itself goes beyond the window
                data, begin, inside = copy(position, 8), position, 0
            position += 8 + _LENGTH.unpack_from(data, inside)[0]
            count -= 1
        if count and position >= end:
            return None
    return position if position <= end else None


def _guessed_starts(data: Bytes) -> NDArray[np.intp]:
    """Return where the first strings of `data` begin, as far as they are short and of ordinary text.

    The length of a string below 256 bytes is a byte and seven zeros. Every place that is followed by
    seven zeros may be one; that the places are each other's successors, as the lengths there say, and
    the first is at 0, makes them certain. Text that holds zeros gives other places, and ends the chain.
    """
    zero = data == 0
    two = zero[:-1] & zero[1:]
    four = two[:-2] & two[2:]
    places = np.flatnonzero(four[1:-3] & four[4:])
    if not places.size or places[0]:
        return places[:0]
    follows = places[1:] == places[:-1] + 8 + data[places[:-1]]
    broken = np.flatnonzero(~follows)
    return places[: int(broken[0]) + 1] if broken.size else places
