"""Whether held-out tokens are among those that are learnt from.

A block of n tokens x is found by its hash Σ xᵢ·pⁱ mod 2⁶⁴, which a difference of running sums gives for every
place of a shard at once (Karp and Rabin 1987). A place where the hash agrees is compared token by token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pv_runtime.errors import printable
from pv_runtime.pretrain.errors import TrainingError
from pv_runtime.pretrain.shards import Tokens

__all__ = ["SPAN", "require_apart"]

SPAN = 128
"""Tokens that two texts do not have in common by chance."""
_BASE = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_AT_A_TIME = 1 << 20


def require_apart(training: Sequence[Tokens], held_out: Sequence[Tokens]) -> None:
    """Refuse held-out tokens of which a span of `SPAN` occurs in the training tokens, wherever it begins.

    Looked for are blocks of half as many tokens that follow each other, of which every span holds a whole
    one; a block that is found counts where what is around it agrees, too. Of held-out tokens that are fewer
    than a span, the whole is looked for.

    Raises
    ------
    TrainingError
        Names the first span that is found, and its place on either side.
    """
    for length, blocks in _by_length(held_out).items():
        spans = [ids[start : start + length] for ids, start, _ in blocks]
        for shard in training:
            for number, place in _occurrences(shard, spans, length):
                ids, start, name = blocks[number]
                before, after = _agreement(ids, start, shard.ids, place)
                if before + after >= min(SPAN, ids.size):
                    raise TrainingError(
                        "held-out-leaks",
                        "held-out tokens are learnt from, too: "
                        f"tokens {start - before} to {start + after} of {printable(name)} "
                        f"are at token {place - before} of {printable(shard.name)}",
                        "hold out another shard; a loss on text that was learnt says nothing",
                    )


def _by_length(held_out: Sequence[Tokens]) -> dict[int, list[tuple[NDArray[np.uint32], int, str]]]:
    """Return blocks by their length: the tokens that they are of, where they begin, and whose they are."""
    found: dict[int, list[tuple[NDArray[np.uint32], int, str]]] = {}
    for shard in held_out:
        length = SPAN // 2 if shard.ids.size >= SPAN else shard.ids.size
        for start in range(0, shard.ids.size - length + 1, length):
            found.setdefault(length, []).append((shard.ids, start, shard.name))
    return found


def _agreement(
    ours: NDArray[np.uint32], here: int, theirs: NDArray[np.uint32], there: int
) -> tuple[int, int]:
    """Return how many tokens agree before two places, and from them on; at most `SPAN` of each."""
    before, after = min(SPAN, here, there), min(SPAN, ours.size - here, theirs.size - there)
    behind = (ours[here - before : here] == theirs[there - before : there])[::-1]
    ahead = ours[here : here + after] == theirs[there : there + after]
    return _leading(behind), _leading(ahead)


def _leading(alike: NDArray[np.bool_]) -> int:
    return alike.size if alike.all() else int(alike.argmin())


def _occurrences(
    shard: Tokens, spans: Sequence[NDArray[np.uint32]], length: int
) -> Iterator[tuple[int, int]]:
    """Yield the number of each span that `shard` holds, and where it is."""
    powers = _powers(min(_AT_A_TIME + length, max(shard.ids.size, length)))
    hashes = np.array([_sum(span, powers[:length])[-1] for span in spans], dtype=np.uint64)
    order = np.argsort(hashes)
    ordered = hashes[order]
    for start in range(0, shard.ids.size - length + 1, _AT_A_TIME):
        ids = np.asarray(shard.ids[start : start + _AT_A_TIME + length - 1])
        sums = np.concatenate([[np.uint64(0)], _sum(ids, powers[: ids.size])])
        here = (sums[length:] - sums[:-length]) * _inverse_powers(ids.size - length + 1)
        at = np.searchsorted(ordered, here)
        at[at == ordered.size] = 0
        for place in np.flatnonzero(ordered[at] == here):
            # Spans that are alike have one hash: any of them may be the one whose surroundings agree, too.
            first, last = (
                np.searchsorted(ordered, here[place]),
                np.searchsorted(ordered, here[place], "right"),
            )
            for number in order[first:last]:
                if np.array_equal(ids[place : place + length], spans[number]):
                    yield int(number), start + int(place)


def _sum(ids: NDArray[np.uint32], powers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the running sums Σ xᵢ·pⁱ mod 2⁶⁴; 1 is added to an id, so that zeros count."""
    return np.cumsum((ids.astype(np.uint64) + np.uint64(1)) * powers, dtype=np.uint64)


def _powers(count: int, base: int = _BASE) -> NDArray[np.uint64]:
    factors = np.full(count, base, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


def _inverse_powers(count: int) -> NDArray[np.uint64]:
    """Powers of p's inverse mod 2⁶⁴, which an odd number has."""
    return _powers(count, pow(_BASE, -1, _MASK + 1))
