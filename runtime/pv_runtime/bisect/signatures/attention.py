"""Guesses at attention: mask, head map, scale, softmax, and what the cache holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pv_runtime.bisect.case import Attempt, Case
from pv_runtime.bisect.mathematics import AttentionVariant
from pv_runtime.bisect.mathematics import attention as computed

__all__ = ["attention"]

_MOST_TOKENS = 512


def attention(case: Case) -> Iterator[Attempt]:
    """Yield guesses at softmax(q kᵀ / sqrt(d)) v."""
    yield from _masks(case)
    yield from _scales(case)
    for axis in ("queries", "heads"):
        yield _tried(
            case,
            "softmax over the wrong axis",
            f"summing the softmax over {axis}",
            AttentionVariant(axis=axis, passes=case.passes),
        )
    yield from _maps(case)
    yield from _operands(case)
    for dtype in (torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        how = AttentionVariant(rounded=dtype)
        yield _tried(case, f"rounded to {name}", f"rounding the shares to {name}", how)
    if len(case.positions) <= _MOST_TOKENS:
        yield from _stale(case)
        yield from _windows(case)


def _tried(case: Case, signature: str, experiment: str, how: AttentionVariant) -> Attempt:
    q, k, v = (case.inputs[name] for name in ("q", "k", "v"))
    return Attempt(signature, experiment, computed(q, k, v, case.architecture, how))


def _causal(case: Case) -> Tensor:
    count = len(case.positions)
    return torch.ones(count, count, dtype=torch.bool).tril()


def _masks(case: Case) -> Iterator[Attempt]:
    causal = _causal(case)
    if len(causal) < 2:
        return
    if len(case.passes) == 1:
        everything = torch.ones_like(causal)
    else:  # of a pass, what is computed with it can be seen
        everything = causal.clone()
        for start, end in case.passes:
            everything[start:end, :end] = True
    yield _tried(
        case, "missing causal mask", "letting tokens look ahead", AttentionVariant(allowed=everything)
    )
    ahead = _causal(case) | torch.diag(torch.ones(len(causal) - 1, dtype=torch.bool), 1)
    yield _tried(case, "mask off by one", "letting tokens look one ahead", AttentionVariant(allowed=ahead))
    behind = causal.clone().tril(-1)
    behind[0, 0] = True
    yield _tried(case, "mask off by one", "hiding each token from itself", AttentionVariant(allowed=behind))
    own = torch.eye(len(causal), dtype=torch.bool)
    yield _tried(case, "mask too narrow", "showing each token to itself alone", AttentionVariant(allowed=own))
    if len(case.passes) > 1:
        passes = torch.zeros_like(causal)
        for start, end in case.passes:
            passes[start:end, start:end] = True
        yield _tried(
            case,
            "cache ignored",
            "hiding what earlier passes computed",
            AttentionVariant(allowed=passes & causal),
        )
        # A mask of the new tokens alone, laid over the oldest positions.
        shifted = causal.clone()
        for start, end in case.passes[1:]:
            shifted[start:end] = torch.ones(end - start, len(causal), dtype=torch.bool).tril()
        yield _tried(
            case,
            "mask not moved with the cache",
            "counting the mask's positions from 0 in each pass",
            AttentionVariant(allowed=shifted),
        )


def _scales(case: Case) -> Iterator[Attempt]:
    a = case.architecture
    for scale, words in (
        (1.0, "leaving the division by sqrt(head_dim) out"),
        (1 / a.head_dim, "dividing scores by head_dim"),
        (1 / math.sqrt(a.hidden_size), "dividing scores by sqrt(hidden size)"),
        (math.sqrt(a.head_dim), "multiplying scores by sqrt(head_dim)"),
    ):
        yield _tried(case, "wrong score scale", words, AttentionVariant(scale=scale))


def _operands(case: Case) -> Iterator[Attempt]:
    q, k, v = (case.inputs[name] for name in ("q", "k", "v"))
    if k.shape != v.shape:
        return
    yield Attempt("keys and values swapped", "swapping keys and values", computed(q, v, k, case.architecture))
    if q.shape == k.shape:
        swapped = computed(k, q, v, case.architecture)
        yield Attempt("queries and keys swapped", "swapping queries and keys", swapped)


def _maps(case: Case) -> Iterator[Attempt]:
    """Find the key head and value head that each query head looks at, by trying all of them."""
    a, count = case.architecture, len(case.positions)
    if a.kv_heads == 1 or count < 2:
        return
    group, q, k, v = a.heads // a.kv_heads, *(case.inputs[name] for name in ("q", "k", "v"))
    width = a.head_dim
    keys, values = [], []
    shares = {}
    queries = q.view(count, a.heads, width).transpose(0, 1) / math.sqrt(width)
    for g in range(a.kv_heads):
        scores = queries @ k.view(count, a.kv_heads, width)[:, g].T
        shares[g] = scores.masked_fill(~_causal(case), -torch.inf).softmax(-1)
    wanted = case.candidate.view(count, a.heads, width)
    for head in range(a.heads):
        usual = (head // group, head // group)
        others = [(i, j) for i in range(a.kv_heads) for j in range(a.kv_heads) if (i, j) != usual]
        errors = {
            pair: float(
                (
                    shares[pair[0]][head] @ v.view(count, a.kv_heads, width)[:, pair[1]] - wanted[:, head]
                ).norm()
            )
            for pair in [usual, *others]
        }
        best = min(errors, key=lambda pair: errors[pair])
        keys.append(best[0])
        values.append(best[1])
    usual_map = [head // group for head in range(a.heads)]
    if keys == usual_map and values == usual_map:
        return
    said = (
        f"giving query heads 0…{a.heads - 1} the key heads {_named(keys, a.heads, a.kv_heads)}"
        f" and the value heads {_named(values, a.heads, a.kv_heads)}"
    )
    yield _tried(
        case, "wrong head mapping", said, AttentionVariant(keys_of=tuple(keys), values_of=tuple(values))
    )


def _named(heads: list[int], queries: int, kv_heads: int) -> str:
    group = queries // kv_heads
    known = {
        "h // group": [h // group for h in range(queries)],
        "h % kv_heads": [h % kv_heads for h in range(queries)],
        "reversed": [kv_heads - 1 - h // group for h in range(queries)],
        "0 for all": [0] * queries,
    }
    return next((name for name, each in known.items() if each == heads), str(heads))


def _stale(case: Case) -> Iterator[Attempt]:
    """Play through a cache that is written wrongly; then try each row of it as the one that is wrong."""
    if len(case.passes) < 2:
        return
    for words, write in _WRITES.items():
        yield Attempt("stale cache row", words, _played(case, write))
    seams = [row for start, end in case.passes for row in (start, end - 1)]
    q, k, v = (case.inputs[name] for name in ("q", "k", "v"))
    tokens = torch.arange(len(q))
    for row in dict.fromkeys([*reversed(seams), *range(len(q))]):
        for held in ("zeros", "the row before it"):
            keys, values = k.clone(), v.clone()
            keys[row] = 0 if held == "zeros" or row == 0 else k[row - 1]
            values[row] = 0 if held == "zeros" or row == 0 else v[row - 1]
            stale = computed(q, keys, values, case.architecture)
            later = (tokens >= max(row, case.passes[0][1]))[:, None]
            predicted = torch.where(later, stale, case.reference)
            yield Attempt("stale cache row", f"leaving {held} in row {row} of the cache", predicted)


Write = Callable[[Tensor, Tensor, int, int], None]
"""Given the rows of a cache, all rows, and the range that a pass computed: write them."""


def _not_the_newest(cache: Tensor, rows: Tensor, start: int, end: int) -> None:
    cache[start : end - bool(start)] = rows[start : end - bool(start)]


def _not_the_first(cache: Tensor, rows: Tensor, start: int, end: int) -> None:
    cache[start + bool(start) : end] = rows[start + bool(start) : end]


def _not_at_all(cache: Tensor, rows: Tensor, start: int, end: int) -> None:
    if not start:
        cache[:end] = rows[:end]


def _one_early(cache: Tensor, rows: Tensor, start: int, end: int) -> None:
    back = int(bool(start))
    cache[start - back : end - back] = rows[start:end]


def _the_newest_late(cache: Tensor, rows: Tensor, start: int, end: int) -> None:
    cache[: end - bool(start)] = rows[: end - bool(start)]


def _the_newest_is_the_one_before(cache: Tensor, rows: Tensor, start: int, end: int) -> None:
    cache[:end] = rows[:end]
    if start:
        cache[end - 1] = rows[end - 2]


_WRITES: dict[str, Write] = {
    "never writing the newest row of a later pass": _not_the_newest,
    "writing the newest row of a later pass after it was read": _the_newest_late,
    "leaving the row before it in the newest row of a later pass": _the_newest_is_the_one_before,
    "never writing the first row of a later pass": _not_the_first,
    "writing the prompt's rows alone": _not_at_all,
    "writing each later pass one row early": _one_early,
}


def _played(case: Case, write: Write) -> Tensor:
    """Attention over a cache that `write` fills; what was never written is zero."""
    q, k, v = (case.inputs[name] for name in ("q", "k", "v"))
    keys, values, out = torch.zeros_like(k), torch.zeros_like(v), []
    causal = _causal(case)
    for start, end in case.passes:
        write(keys, k, start, end)
        write(values, v, start, end)
        how = AttentionVariant(allowed=causal[start:end, :end])
        out.append(computed(q[start:end], keys[:end], values[:end], case.architecture, how))
    return torch.cat(out)


def _windows(case: Case) -> Iterator[Attempt]:
    causal = _causal(case)
    count = len(causal)
    wrong = ((case.candidate - case.reference).abs() / case.sigma).amax(1) > 8
    if not bool(wrong.any()):
        return
    first = int(wrong.int().argmax())
    for size in dict.fromkeys([first, first + 1, first - 1]):
        if 0 < size < count:
            window = causal & ~causal.tril(-size)
            yield _tried(
                case,
                "sliding window",
                f"showing each token the last {size} tokens",
                AttentionVariant(allowed=window),
            )
