"""Whether our kernels compute a model as the reference does: every stage, and what is then written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pv_kernels.attention import attention
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.bisect.budgets import UNIT, excess
from pv_runtime.bisect.inputs import Inputs
from pv_runtime.bisect.mathematics import evaluate
from pv_runtime.bisect.recording import Recording
from pv_runtime.cache_parity import random_tokens
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder
from pv_runtime.stages import STAGES, Tap
from pv_runtime.triton_cache import CacheBuffers
from pv_runtime.triton_decoder import Mix, TritonDecoder
from pv_runtime.triton_weights import TritonWeights, load_triton_weights
from pv_runtime.weights import StreamedWeights, Weights, load_weights

__all__ = ["device_parity"]

Build = Callable[[TritonWeights], TritonDecoder]
_TAKEN = frozenset(STAGES) - {"ffn_silu", "post_attn_residual", "layer_output"}
_BROKEN = 1e9
"""What is recorded where a value is not finite."""


@check(
    metrics=[
        Metric("positions", unit="1", kind="count"),
        Metric("expected_stages", unit="1", kind="count"),
        Metric("times_budget", unit="1", low=0.0),
        Metric("written", unit="1", kind="count"),
        Metric("differing_tokens", unit="1", kind="count"),
        Metric("backend", unit="1", kind="text"),
    ]
)
def device_parity(
    run: Run, *, model: Checkpoint, dtype: str, prompt_tokens: int, decoded: int, written: int
) -> None:
    """Compute random tokens by the reference on the CPU, and each stage of them on its values by our kernels.

    The kernels compute `prompt_tokens` in one pass, and then `decoded` more, one at a time, with the cache.

    - `times_budget`: of every stage, its error as a multiple of what rounding explains in `dtype`: see
      `bisect.budgets`.
    - `differing_tokens`: of `written` tokens that both write greedily behind the first eight, those that are
      not the same. Nobody watches then: on a GPU the step is a captured graph.
    - `backend`: `interpreter` or `gpu`.
    """
    build: Build = run.role("build", TritonDecoder)
    computed = getattr(torch, dtype)
    reference = Decoder(load_weights(model, dtype=computed))
    candidate = build(load_triton_weights(model, dtype=computed, device=run.device))
    a = reference.architecture
    tokens = torch.tensor(random_tokens(prompt_tokens + decoded, a.vocab_size, run.seed))
    run.record("backend", "interpreter" if candidate.interpreted else "gpu")
    run.record("positions", len(tokens))
    run.record("expected_stages", len(STAGES) + 15 * (a.layers - 1))

    recorded, own = Recording(), Recording()
    reference.forward(tokens[None], tap=_keeping(recorded))
    cache = candidate.cache(capacity=len(tokens))
    ends = [prompt_tokens, *range(prompt_tokens + 1, len(tokens) + 1)]
    for start, end in run.progress(list(zip([0, *ends], ends, strict=False)), len(ends)):
        candidate.forward(tokens[None, start:end], cache=cache, tap=_injecting(recorded, own, start))
    weights = load_weights(model)
    inputs = Inputs(recorded, own, _TAKEN, tokens, a, lambda *key: _weight(weights, *key), UNIT[computed])
    for stage, layer in own:
        given = inputs.of(stage, layer)
        if inputs.replaced(stage, layer):
            expected = recorded.values(stage, layer)
        else:
            expected = evaluate(stage, given, _weight(weights, stage, layer), a)
        beyond = excess(own.values(stage, layer) - expected, inputs.sigma(stage, layer, expected))
        label = stage if layer is None else f"{stage} of layer {layer}"
        run.record("times_budget", min(beyond, _BROKEN), label=label)

    first, second = (_greedy(each, tokens[None, :8], written) for each in (reference, candidate))
    run.record("written", written)
    run.record("differing_tokens", sum(one != other for one, other in zip(first, second, strict=True)))


def _keeping(kept: Recording) -> Tap:
    def tap(stage: str, layer: int | None, values: Tensor) -> Tensor:
        kept.put((stage, layer), 0, values[0])
        return values

    return tap


def _injecting(recorded: Recording, own: Recording, start: int) -> Tap:
    """Keep what a stage makes, and let the recorded values go on."""

    def tap(stage: str, layer: int | None, values: Tensor) -> Tensor:
        own.put((stage, layer), start, values[0])
        theirs = recorded.values(stage, layer)[start : start + values.shape[1]]
        return theirs[None].to(values.device, values.dtype)

    return tap


def _weight(weights: Weights | StreamedWeights, stage: str, layer: int | None) -> Tensor | None:
    whole = {"embedding": "embedding", "final_norm": "final_norm", "lm_head": "head"}
    if layer is None:
        found: Tensor = getattr(weights, whole[stage])
        return found
    names = {
        "attn_norm": "attn_norm", "qkv_matmul": "qkv", "qkv_bias": "qkv_bias", "attn_out": "attn_out",
        "ffn_norm": "ffn_norm", "ffn_gate": "gate", "ffn_up": "up", "ffn_out": "down",
    }  # fmt: skip
    of_layer: Tensor | None = getattr(weights.layer(layer), names[stage]) if stage in names else None
    return of_layer


def _greedy(decoder: Decoder, prompt: Tensor, count: int) -> list[int]:
    cache = decoder.cache(capacity=prompt.shape[1] + count)
    found: list[int] = []
    given = prompt
    for _ in range(count):
        logits = decoder.forward(given, cache=cache, last=True)
        found.append(int(logits[0, -1].argmax()))
        given = torch.tensor([found[-1:]])
    return found


class _SeesTheNext(TritonDecoder):
    def _causal(self, keep: Callable[[int, Tensor], tuple[Tensor, Tensor]]) -> Mix:
        usual = super()._causal(keep)

        def mix(layer: int, q: Tensor, kept: Tensor) -> Tensor:
            mixed = usual(layer, q, kept)
            keys, values = self._apart(layer, kept)
            heads = q.view(*q.shape[:2], self.architecture.heads, -1).transpose(1, 2)
            later = attention(heads.roll(1, dims=2), keys, values).transpose(1, 2).flatten(2)
            return torch.cat([later[:, 1:], mixed[:, -1:]], dim=1)

        return mix


class _PositionsOn(TritonDecoder):
    def rotate_both(self, qkv: Tensor, positions: Tensor) -> None:
        super().rotate_both(qkv, positions + 1)


class _HeadsMixedUp(TritonDecoder):
    def _causal(self, keep: Callable[[int, Tensor], tuple[Tensor, Tensor]]) -> Mix:
        def exchanged(layer: int, kept: Tensor) -> tuple[Tensor, Tensor]:
            keys, values = keep(layer, kept)
            return keys.flip(1), values.flip(1)

        return super()._causal(exchanged)


class _StaleRow(TritonDecoder):
    def step(self, tokens: Tensor, buffers: CacheBuffers, **others: Any) -> Tensor:
        for kept in buffers.kept:
            kept[:, 3] = 0
        return super().step(tokens, buffers, **others)


class _NextRow(TritonDecoder):
    def step(self, tokens: Tensor, buffers: CacheBuffers, **others: Any) -> Tensor:
        put = buffers.put_next

        def behind(layer: int, kept: Tensor) -> None:
            row = (buffers.positions + 1).clamp(max=buffers.capacity - 1)
            buffers.kept[layer].index_put_((buffers.sequences, row), kept)

        vars(buffers)["put_next"] = behind
        try:
            return super().step(tokens, buffers, **others)
        finally:
            vars(buffers)["put_next"] = put


@device_parity.counter_example("sees_the_next_token", of="build")
def sees_the_next_token(_: Build) -> Build:
    """Let each token of the prompt see one key more: a mask that is off by one."""
    return _SeesTheNext


@device_parity.counter_example("one_position_on", of="build")
def one_position_on(_: Build) -> Build:
    """Count positions from 1: what is written is the same, and queries and keys are not."""
    return _PositionsOn


@device_parity.counter_example("key_heads_mixed_up", of="build")
def key_heads_mixed_up(_: Build) -> Build:
    """Let the queries of a prompt look at the other group's keys and values."""
    return _HeadsMixedUp


@device_parity.counter_example("stale_row_in_the_cache", of="build")
def stale_row_in_the_cache(_: Build) -> Build:
    """Lose what one position left in the cache: right in one pass, and wrong in steps."""
    return _StaleRow


@device_parity.counter_example("row_behind_its_place", of="build")
def row_behind_its_place(_: Build) -> Build:
    """Put a token's keys and values a row behind where they are looked for."""
    return _NextRow
