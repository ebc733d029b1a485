"""A layer whose feed-forward part is out of proportion: named where there is one, and nowhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.anomalies import FeedForwardRow, feed_forward_rows
from pv_runtime.formats import Checkpoint, Overlay
from pv_runtime.formats.overlay import from_values
from pv_runtime.model import Decoder
from pv_runtime.quant.scheme import Floats
from pv_runtime.trace import trace
from pv_runtime.trace_statistics import StageStatistics
from pv_runtime.weights import load_weights

__all__ = ["outlying_layers"]

Judge = Callable[[Sequence[StageStatistics]], tuple[FeedForwardRow, ...]]


@check(
    metrics=[
        Metric("layers", unit="1", kind="count"),
        Metric("healthy_flagged", unit="1", kind="count"),
        Metric("found", unit="1", kind="count"),
        Metric("others_flagged", unit="1", kind="count"),
    ]
)
def outlying_layers(run: Run, *, model: Checkpoint, factor: float, prompt_tokens: int) -> None:
    """Multiply one layer's up projection by `factor`, each layer in turn, and ask which stands out.

    `healthy_flagged` counts the layers named in the model as it is. For each planted layer: `found` is 1
    where that layer is named, with the stage at which it was planted; `others_flagged` counts other
    layers named whose values were not computed from the planted one's.
    """
    judge: Judge = run.role("judge", feed_forward_rows)
    generator = np.random.default_rng(run.seed)
    decoder = Decoder(load_weights(model))
    count = decoder.architecture.layers
    tokens: list[int] = generator.integers(0, decoder.architecture.vocab_size, prompt_tokens).tolist()
    healthy = judge(trace(decoder, tokens).statistics)
    run.record("healthy_flagged", sum(row.enters is not None for row in healthy))
    for layer in run.progress(range(count), count):
        planted = Decoder(load_weights(_scaled(model, layer, factor)))
        rows = judge(trace(planted, tokens).statistics)
        named = [row for row in rows if row.enters is not None]
        own = any((row.layer, row.enters) == (layer, "ffn_up") for row in named)
        run.record("found", int(own), label=f"layer {layer}")
        run.record("others_flagged", sum(row.layer < layer for row in named), label=f"layer {layer}")
    run.record("layers", count)


def _scaled(model: Checkpoint, layer: int, factor: float) -> Checkpoint:
    name = f"model.layers.{layer}.mlp.up_proj.weight"

    def scaled() -> Floats:
        values: Floats = model.tensor(name) * np.float32(factor)
        return values

    return Overlay(model, replace={name: from_values(name, model.info(name).shape, scaled, "F32")})


@outlying_layers.counter_example("never_looks", of="judge")
def never_looks(judge: Judge) -> Judge:
    """Judge each layer by itself only, as a tool did that printed OK whatever it saw."""
    return lambda traced: tuple(dataclasses.replace(row, enters=None) for row in judge(traced))


@outlying_layers.counter_example("names_everything", of="judge")
def names_everything(judge: Judge) -> Judge:
    """Name every layer."""
    return lambda traced: tuple(dataclasses.replace(row, enters="ffn_up") for row in judge(traced))


@outlying_layers.counter_example("one_layer_off", of="judge")
def one_layer_off(judge: Judge) -> Judge:
    """Count layers from 1."""
    return lambda traced: tuple(dataclasses.replace(row, layer=row.layer + 1) for row in judge(traced))


@outlying_layers.counter_example("names_where_it_leaves", of="judge")
def names_where_it_leaves(judge: Judge) -> Judge:
    """Name the last stage instead of the first at which the values are out of proportion."""
    return lambda traced: tuple(
        dataclasses.replace(row, enters="ffn_out" if row.enters else None) for row in judge(traced)
    )
