"""A head that is the embedding: one tensor, one set of weights, and the logits it must give."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from pv.check import Metric, Run, check
from pv_runtime.architecture import architecture_of, tensor_shapes
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder
from pv_runtime.weights import Weights, load_weights

__all__ = ["tied_head"]


@dataclasses.dataclass
class Loaded:
    """A model in memory, as damage may leave it."""

    weights: Weights


@check(
    metrics=[
        Metric("tied", unit="1", kind="count"),
        Metric("wrong_shape", unit="1", kind="count"),
        Metric("lengths", unit="1", kind="count"),
        Metric("differing_logits", unit="1", kind="count"),
        Metric("logits", unit="1", kind="count"),
        Metric("not_finite", unit="1", kind="count"),
        Metric("extra_parameters", unit="1", kind="count"),
        Metric("shared_memory", unit="1", kind="count"),
    ]
)
def tied_head(run: Run, *, model: Checkpoint, lengths: Sequence[int]) -> None:
    """Compute logits of random tokens with the head that was loaded, and with a copy of the embedding.

    For each number of tokens in `lengths`: `wrong_shape` is 1 where the logits are not ``[tokens,
    vocab]``; `logits` counts them, and `differing_logits` those whose bits differ from the product of the
    final norm with a separate copy of the file's embedding, all where the shape is another; `not_finite`
    those that are NaN or infinite. `extra_parameters` counts loaded parameters beyond those of the file's
    architecture, a tied head being counted once; `shared_memory` is 1 where head and embedding are one
    tensor in memory.
    """
    run.record("tied", int(architecture_of(model).tied))
    loaded = load_weights(model)
    if not isinstance(loaded, Weights):  # only on request
        raise TypeError(type(loaded))
    weights = run.role("loaded", Loaded(loaded)).weights
    architecture = architecture_of(model)
    separate = torch.from_numpy(run.undamaged("model").tensor("model.embed_tokens.weight")).clone()
    decoder = Decoder(weights)
    generator = torch.Generator().manual_seed(run.seed)
    for length in lengths:
        tokens = torch.randint(0, architecture.vocab_size, (1, length), generator=generator)
        kept: dict[str, Tensor] = {}

        def keep(stage: str, layer: int | None, values: Tensor, kept: dict[str, Tensor] = kept) -> Tensor:
            if layer is None:
                kept[stage] = values
            return values

        logits = decoder.forward(tokens, tap=keep)[0]
        run.record(
            "wrong_shape", int(logits.shape != (length, architecture.vocab_size)), label=f"{length} tokens"
        )
        expected = functional.linear(kept["final_norm"], separate)[0]
        same = logits.shape == expected.shape
        differing = (
            int((logits.view(torch.int32) != expected.view(torch.int32)).sum()) if same else logits.numel()
        )
        run.record("logits", logits.numel(), label=f"{length} tokens")
        run.record("differing_logits", differing, label=f"{length} tokens")
        run.record("not_finite", int((~logits.isfinite()).sum()), label=f"{length} tokens")
    run.record("lengths", len(lengths))
    held = {tensor.data_ptr(): tensor.numel() for tensor in _tensors(weights)}
    stated = sum(torch.Size(shape).numel() for _, shape in tensor_shapes(architecture))
    run.record("extra_parameters", max(sum(held.values()) - stated, 0))
    run.record("shared_memory", int(weights.head.data_ptr() == weights.embedding.data_ptr()))


def _tensors(weights: Weights) -> list[Tensor]:
    found = [weights.embedding, weights.final_norm, weights.head]
    for index in range(weights.architecture.layers):
        layer = weights.layer(index)
        values = [getattr(layer, field.name) for field in dataclasses.fields(layer)]
        found += [value for value in values if isinstance(value, Tensor)]
    return found


@tied_head.counter_example("head_left_random", of="loaded")
def head_left_random(loaded: Loaded) -> Loaded:
    """Give the head random values, as a framework does that finds no tensor for it."""
    loaded.weights.head = (
        torch.randn(loaded.weights.head.shape, generator=torch.Generator().manual_seed(0)) * 0.02
    )
    return loaded


@tied_head.counter_example("head_is_a_copy", of="loaded")
def head_is_a_copy(loaded: Loaded) -> Loaded:
    """Copy the embedding: the same logits, and as many weights more as the embedding has."""
    loaded.weights.head = loaded.weights.head.clone()
    return loaded


@tied_head.counter_example("head_of_one_row_less", of="loaded")
def head_of_one_row_less(loaded: Loaded) -> Loaded:
    """Leave the head's last row out."""
    loaded.weights.head = loaded.weights.head[:-1]
    return loaded


@tied_head.counter_example("head_rounded_to_half", of="loaded")
def head_rounded_to_half(loaded: Loaded) -> Loaded:
    """Round the head to bfloat16 and back: close, and not the embedding."""
    loaded.weights.head = loaded.weights.head.bfloat16().float()
    return loaded


@tied_head.counter_example("rows_one_off", of="loaded")
def rows_one_off(loaded: Loaded) -> Loaded:
    """Shift the head by one row: every logit is another token's."""
    loaded.weights.head = loaded.weights.head.roll(1, dims=0)
    return loaded


@tied_head.counter_example("nan_in_one_weight", of="loaded")
def nan_in_one_weight(loaded: Loaded) -> Loaded:
    """Make one value of the embedding, and with it of the head, NaN."""
    damaged = loaded.weights.embedding.clone()
    damaged[7, 3] = float("nan")
    loaded.weights.embedding = loaded.weights.head = damaged
    return loaded
