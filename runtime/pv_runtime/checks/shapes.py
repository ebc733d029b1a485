"""What an architecture costs and how its values flow, computed at full size without its weights.

torch's meta tensors have shapes and no values, so that a block of 7B runs here, and its products are
counted rather than estimated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pv.check import Metric, Run, check
from pv_runtime.architecture import Architecture, tensor_shapes
from pv_runtime.model import Decoder
from pv_runtime.stages import STAGES
from pv_runtime.weights import StreamedWeights

__all__ = ["MetaWeights", "flow", "forward_without_values"]

Shapes = list[tuple[int, ...]]
Seen = dict[str, Shapes]
Build = Callable[[StreamedWeights], Decoder]


@check(
    metrics=[
        Metric("parameters", unit="1", kind="count"),
        Metric("tensors", unit="1", kind="count"),
        Metric("operations_per_parameter", unit="1", low=0.0),
        Metric("operations_off", unit="1", low=0.0),
        Metric("block_shape_kept", unit="1", kind="count"),
        Metric("hidden_shape", unit="1", kind="text"),
        Metric("logits_shape", unit="1", kind="text"),
        Metric("stages", unit="1", kind="count"),
        Metric("lengths", unit="1", kind="count"),
    ]
)
def flow(run: Run, *, architecture: Mapping[str, Any], tokens: Sequence[int]) -> None:
    """Run a decoder of `architecture`, `Architecture`'s fields, for each number of `tokens`.

    `operations_per_parameter` are the operations that torch counted in all products, over tokens and
    the parameters of the matrices that they read; `operations_off` is the count's relative distance
    from 2 T P_matrices + 4 T² n d_head L, the last term being attention's. `block_shape_kept` is 1
    where every block gives the shape that it took. `stages` counts the distinct stages that were seen.
    """
    shape: Architecture = run.role("architecture", Architecture(**architecture))
    build: Build = run.role("decoder", Decoder)
    run.record("parameters", shape.parameters)
    run.record("tensors", sum(1 for _ in tensor_shapes(shape)))
    decoder = build(MetaWeights(shape))
    matrices = sum(rows[0] * rows[1] for name, rows in tensor_shapes(shape) if len(rows) == 2)
    matrices -= 0 if shape.tied else shape.vocab_size * shape.hidden_size  # looked up, not multiplied
    for length in run.progress(tokens, len(tokens)):
        seen: Seen = {}

        def keep(
            stage: str, layer: int | None, values: Tensor, seen: dict[str, list[tuple[int, ...]]] = seen
        ) -> Tensor:
            del layer
            seen.setdefault(stage, []).append(tuple(values.shape))
            return values

        with FlopCounterMode(display=False) as counter:
            blocks = forward_without_values(decoder, length, keep)
        counted = counter.get_total_flops()
        attention = 4 * length * length * shape.query_size * shape.layers
        label = f"{length} tokens"
        run.record("operations_per_parameter", counted / length / matrices, label=label)
        expected = 2 * length * matrices + attention
        run.record("operations_off", abs(counted - expected) / expected, label=label)
        residual = {(1, length, shape.hidden_size)}
        kept = residual == {*seen["embedding"], *seen["layer_output"], *blocks}
        run.record("block_shape_kept", int(kept and len(blocks) == shape.layers), label=label)
        run.record("hidden_shape", _written(seen["final_norm"][-1], length), label=label)
        run.record("logits_shape", _written(seen["lm_head"][-1], length), label=label)
        run.record("stages", len(seen.keys() & STAGES.keys()), label=label)
    run.record("lengths", len(tokens))


def _written(shape: tuple[int, ...], length: int) -> str:
    """Write ``[tokens, width]``, the number of tokens as T where it is the right one."""
    tokens, width = shape[1:]
    return f"[{'T' if tokens == length else tokens}, {width}]"


class MetaWeights(StreamedWeights):
    """Weights that have shapes and no values."""

    def __init__(self, shape: Architecture) -> None:
        self.architecture, self.dtype, self.device = shape, torch.float32, "meta"
        self._shapes = dict(tensor_shapes(shape))

    def tensor(self, name: str) -> Tensor:
        """Return a tensor of the right shape."""
        return torch.empty(self._shapes[name], device="meta")


def forward_without_values(
    decoder: Decoder, length: int, tap: Callable[[str, int | None, Tensor], Tensor]
) -> Shapes:
    """Compute as `Decoder.forward` does, but for its look at the values of tokens, which meta has not.

    Return the shape behind each block.
    """
    blocks: Shapes = []
    tokens = torch.zeros((1, length), dtype=torch.int64, device="meta")
    attended = torch.ones(tokens.shape, dtype=torch.bool, device="meta")
    rotation = decoder.rotation(decoder.positions(attended))
    # Without values, which positions are masked is no matter; tril would import half of torch's compiler.
    mask = torch.ones(length, length, dtype=torch.bool, device="meta")[None, None]
    x = tap("embedding", None, decoder.embed(tokens))
    for index in range(decoder.architecture.layers):
        x = decoder.block(index, x, rotation, mask, None, tap)
        blocks.append(tuple(x.shape))
    x = tap("final_norm", None, decoder.norm(x, decoder.weights.final_norm))
    tap("lm_head", None, torch.nn.functional.linear(x, decoder.weights.head))
    return blocks


@flow.counter_example("one_layer_less", of="architecture")
def one_layer_less(architecture: Architecture) -> Architecture:
    """Leave a block out."""
    return dataclasses.replace(architecture, layers=architecture.layers - 1)


@flow.counter_example("head_tied", of="architecture")
def head_tied(architecture: Architecture) -> Architecture:
    """Tie the head where it is not, or untie it where it is."""
    return dataclasses.replace(architecture, tied=not architecture.tied)


@flow.counter_example("no_bias", of="architecture")
def no_bias(architecture: Architecture) -> Architecture:
    """Leave the biases of q, k and v out."""
    return dataclasses.replace(architecture, qkv_bias=False)


@flow.counter_example("a_key_head_for_each_query_head", of="architecture")
def a_key_head_for_each_query_head(architecture: Architecture) -> Architecture:
    """Forget that heads are grouped."""
    return dataclasses.replace(architecture, kv_heads=architecture.heads)


@flow.counter_example("vocabulary_of_another_size", of="architecture")
def vocabulary_of_another_size(architecture: Architecture) -> Architecture:
    """Take the vocabulary of the smaller models of the family."""
    return dataclasses.replace(architecture, vocab_size=architecture.vocab_size - 128)


class _Twice(Decoder):
    def feed_forward(self, *arguments: Any) -> Tensor:
        super().feed_forward(*arguments)
        return super().feed_forward(*arguments)


@flow.counter_example("computes_twice", of="decoder")
def computes_twice(decoder: Build) -> Build:
    """Compute every feed-forward part twice: the same shapes for twice the work."""
    del decoder
    return _Twice


class _Last(Decoder):
    def block(self, index: int, x: Tensor, *arguments: Any) -> Tensor:
        computed = super().block(index, x, *arguments)
        return computed[:, -1:] if index == self.architecture.layers - 1 else computed


@flow.counter_example("keeps_the_last_token_only", of="decoder")
def keeps_the_last_token_only(decoder: Build) -> Build:
    """Drop all positions but the last behind the last block."""
    del decoder
    return _Last
