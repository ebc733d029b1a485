"""Grouped queries: several query heads share one key head, and each must look at its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.model import Decoder
from pv_runtime.quant.scheme import Floats

__all__ = ["grouped_queries"]

Attend = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("first_token_error", unit="1", low=0.0),
        Metric("second_token_error", unit="1", low=0.0),
        Metric("multi_head_error", unit="1", low=0.0),
        Metric("cosine", unit="1", low=-1.0, high=1.0, slack=1e-12),
        Metric("foreign_weight", unit="1", low=0.0),
    ]
)
def grouped_queries(
    run: Run, *, heads: Sequence[int], kv_heads: Sequence[int], head_dim: int, tokens: int
) -> None:
    """Attend with ``heads[i]`` query heads over ``kv_heads[i]`` key heads, inputs drawn at random.

    Everything is compared with attention of as many key heads as query heads, each key head written
    out for every query head that shares it, in float64 by numpy:

    - `first_token_error`, the greatest difference where there is one position, so that the answer is
      the value itself;
    - `second_token_error`, of one new position over two;
    - `multi_head_error` and `cosine`, of `tokens` positions under a causal mask;
    - `foreign_weight`, the greatest change of a head's answer when the keys and values of all other
      key heads are replaced: exactly zero.
    """
    attend: Attend = run.role("attend", _decoder_attend)
    generator = torch.Generator().manual_seed(run.seed)

    def draw(count: int, positions: int) -> Tensor:
        return torch.randn(1, count, positions, head_dim, generator=generator)

    for count, shared in zip(heads, kv_heads, strict=True):
        label = f"{count} over {shared}"
        k, v = draw(shared, tokens), draw(shared, tokens)
        q = draw(count, tokens)
        first = attend(q[:, :, :1], k[:, :, :1], v[:, :, :1], None).double().numpy()
        expanded = np.repeat(v[:, :, :1].double().numpy(), count // shared, axis=1)
        run.record("first_token_error", float(np.abs(first - expanded).max()), label=label)
        second = attend(q[:, :, 1:2], k[:, :, :2], v[:, :, :2], None)
        run.record(
            "second_token_error",
            _error(second, _multi_head(q[:, :, 1:2], k[:, :, :2], v[:, :, :2], causal=False)),
            label=label,
        )
        mask = torch.ones(tokens, tokens, dtype=torch.bool).tril()[None, None]
        whole, expected = attend(q, k, v, mask), _multi_head(q, k, v, causal=True)
        run.record("multi_head_error", _error(whole, expected), label=label)
        ours = whole.double().numpy()
        norms = float(np.linalg.norm(ours) * np.linalg.norm(expected))
        run.record("cosine", float((ours * expected).sum()) / norms if norms else 0.0, label=label)
        run.record("foreign_weight", _foreign(attend, q, k, v, mask), label=label)
    run.record("cases", len(heads))


def _decoder_attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attend as the decoder does; nothing of a model enters."""
    return Decoder.attend(Decoder.__new__(Decoder), q, k, v, mask)


def _multi_head(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Floats:
    """softmax(q kᵀ / sqrt(d)) v with a key head for every query head, float64 ``[1, heads, tokens, d]``."""
    wide = [part.double().numpy() for part in (q, k, v)]
    group = q.shape[1] // k.shape[1]
    queries, keys, values = wide[0], np.repeat(wide[1], group, axis=1), np.repeat(wide[2], group, axis=1)
    scores = np.einsum("bhqd,bhkd->bhqk", queries, keys) / np.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    mixed: Floats = np.einsum("bhqk,bhkd->bhqd", shares, values)
    return mixed


def _error(ours: Tensor, expected: Floats) -> float:
    return float(np.abs(ours.double().numpy() - expected).max())


def _foreign(attend: Attend, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> float:
    """Return how much any head's answer changes when only key heads that it does not share change."""
    group, worst = q.shape[1] // k.shape[1], 0.0
    before = attend(q, k, v, mask)
    for own in range(k.shape[1]):
        others = [head for head in range(k.shape[1]) if head != own]
        if not others:
            break
        keys, values = k.clone(), v.clone()
        keys[:, others], values[:, others] = keys[:, others].flip(-1) + 1, -values[:, others]
        after = attend(q, keys, values, mask)
        mine = slice(own * group, (own + 1) * group)
        worst = max(worst, float((after[:, mine] - before[:, mine]).abs().max()))
    return worst


@grouped_queries.counter_example("heads_taken_in_turn", of="attend")
def heads_taken_in_turn(attend: Attend) -> Attend:
    """Let query head h look at key head h mod n instead of h div ratio: right only where the ratio is 1."""

    def turned(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        group = q.shape[1] // k.shape[1]
        return attend(q, k.repeat(1, group, 1, 1), v.repeat(1, group, 1, 1), mask)

    return turned


@grouped_queries.counter_example("values_in_turn", of="attend")
def values_in_turn(attend: Attend) -> Attend:
    """Pair keys rightly and values in turn: K and V repeated in different orders."""

    def turned(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        group = q.shape[1] // k.shape[1]
        return attend(q, k.repeat_interleave(group, 1), v.repeat(1, group, 1, 1), mask)

    return turned


@grouped_queries.counter_example("one_head_off", of="attend")
def one_head_off(attend: Attend) -> Attend:
    """Let every query head look at its neighbour's keys: only the heads at a group's edge are wrong."""

    def shifted(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        return attend(q.roll(1, dims=1), k, v, mask).roll(-1, dims=1)

    return shifted


@grouped_queries.counter_example("no_scale", of="attend")
def no_scale(attend: Attend) -> Attend:
    """Leave the division by sqrt(d) out."""
    return lambda q, k, v, mask: attend(q * q.shape[-1] ** 0.5, k, v, mask)


@grouped_queries.counter_example("sees_the_future", of="attend")
def sees_the_future(attend: Attend) -> Attend:
    """Ignore the mask."""
    return lambda q, k, v, _mask: attend(q, k, v, None)


@grouped_queries.counter_example("softmax_over_the_wrong_axis", of="attend")
def softmax_over_the_wrong_axis(attend: Attend) -> Attend:
    """Normalise over the queries instead of the keys: invisible where there is one position."""
    del attend

    def across(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        group = q.shape[1] // k.shape[1]
        keys, values = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = q @ keys.transpose(2, 3) / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        mixed: Tensor = scores.softmax(dim=-2) @ values
        return mixed

    return across
