"""Whether held-out tokens are among those that are learnt from.

A span of n tokens x is found by its hash Σ xᵢ·pⁱ mod 2⁶⁴, which a difference of running sums gives for every
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
    """Refuse held-out tokens of which a span occurs in the training tokens.

    Looked for are the spans of `SPAN` tokens that follow each other in the held-out tokens, of a shorter run
    the whole.

    Raises
    ------
    TrainingError
        Names how many occur, and the first place of each kind.
    """
    for length, spans in _by_length(held_out).items():
        found = [
            (span, place)
            for shard in training
            for span, place in _occurrences(shard, list(spans.values()), length)
        ]
        if found:
            span, place = found[0]
            name, start = next((name, start) for (name, start), ids in spans.items() if ids is span)
            raise TrainingError(
                "held-out-leaks",
                f"{len({id(each) for each, _ in found})} of {len(spans)} spans of {length} held-out "
                "tokens are "
                f"learnt from, too: tokens {start} to {start + length} of {printable(name)} are at {place}",
                "hold out another shard; a loss on text that was learnt says nothing",
            )


def _by_length(held_out: Sequence[Tokens]) -> dict[int, dict[tuple[str, int], NDArray[np.uint32]]]:
    found: dict[int, dict[tuple[str, int], NDArray[np.uint32]]] = {}
    for shard in held_out:
        length = min(SPAN, shard.ids.size)
        for start in range(0, shard.ids.size - length + 1, length):
            found.setdefault(length, {})[shard.name, start] = shard.ids[start : start + length]
    return found


def _occurrences(
    shard: Tokens, spans: Sequence[NDArray[np.uint32]], length: int
) -> Iterator[tuple[NDArray[np.uint32], str]]:
    """Yield each span that `shard` holds, and where."""
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
            span = spans[order[at[place]]]
            if np.array_equal(ids[place : place + length], span):
                yield span, f"token {start + int(place)} of {printable(shard.name)}"


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
