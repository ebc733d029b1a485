"""The sizes of a family's models: what each projection's shape is, and whether computation agrees."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.architecture import Architecture, tensor_shapes
from pv_runtime.checks.shapes import MetaWeights, forward_without_values
from pv_runtime.model import Decoder
from pv_runtime.presets import PRESETS
from pv_runtime.stage_names import stage_features

__all__ = ["projections", "rotary_frequencies", "stage_widths"]

Listed = dict[str, tuple[int, ...]]
Build = Callable[[MetaWeights], Decoder]
Rotate = Callable[[Decoder, Tensor], tuple[Tensor, Tensor]]


@check(
    metrics=[
        Metric("layers", unit="1", kind="count"),
        Metric("q_proj", unit="1", kind="text"),
        Metric("kv_proj", unit="1", kind="text"),
        Metric("gate_up_proj", unit="1", kind="text"),
        Metric("down_proj", unit="1", kind="text"),
        Metric("o_is_q_transposed", unit="1", kind="count"),
        Metric("head_dim", unit="1", kind="count"),
        Metric("hidden_left", unit="1", kind="count"),
        Metric("queries_to_a_key", unit="1", kind="count"),
        Metric("heads_left", unit="1", kind="count"),
        Metric("tied", unit="1", kind="count"),
        Metric("tensors", unit="1", kind="count"),
        Metric("parameters", unit="1", kind="count"),
        Metric("parameters_off", unit="1", kind="count"),
    ]
)
def projections(run: Run, *, preset: str) -> None:
    """List the tensors of a model of `preset` as loading asks for them, and hold them against arithmetic.

    For each layer: `q_proj`, `kv_proj` (key and value), `gate_up_proj` (both) and `down_proj` are shapes,
    ``[out, in]``, and `o_is_q_transposed` is 1 where the output projection's is that of the queries, turned.
    `hidden_left` is what remains of the width divided by the heads, `heads_left` of the query heads by the
    key heads, of which `queries_to_a_key` go to one. `tied` is 1 where no head is listed. `parameters` is the
    sum over the list, and `parameters_off` its distance from the closed form.
    """
    shape: Architecture = run.role("architecture", PRESETS[preset])
    listed: Listed = run.role("listed", dict(tensor_shapes(shape)))
    for layer in range(PRESETS[preset].layers):
        prefix = f"model.layers.{layer}."
        query = listed.get(f"{prefix}self_attn.q_proj.weight", ())
        run.record("q_proj", str([*query]), label=f"layer {layer}")
        for metric, part, names in (
            ("kv_proj", "self_attn", "kv"),
            ("gate_up_proj", "mlp", ("gate", "up")),
            ("down_proj", "mlp", ("down",)),
        ):
            for name in names:
                found = listed.get(f"{prefix}{part}.{name}_proj.weight", ())
                run.record(metric, str([*found]), label=f"layer {layer} {name}")
        turned = listed.get(f"{prefix}self_attn.o_proj.weight", ()) == query[::-1]
        run.record("o_is_q_transposed", int(turned), label=f"layer {layer}")
    run.record("layers", shape.layers)
    run.record("head_dim", shape.head_dim)
    run.record("hidden_left", shape.hidden_size % shape.heads)
    run.record("queries_to_a_key", shape.heads // shape.kv_heads)
    run.record("heads_left", shape.heads % shape.kv_heads)
    run.record("tied", int("lm_head.weight" not in listed))
    parameters = sum(torch.Size(each).numel() for each in listed.values())
    run.record("tensors", len(listed))
    run.record("parameters", parameters)
    run.record("parameters_off", abs(parameters - _closed_form(PRESETS[preset])))


def _closed_form(a: Architecture) -> int:
    """V d (1 + untied) + L (2 d q + 2 d k + bias (q + 2 k) + 3 d f + 2 d) + d, q and k all heads' rows."""
    q, k, d = a.heads * a.head_dim, a.kv_heads * a.head_dim, a.hidden_size
    bias = q + 2 * k if a.qkv_bias else 0
    layer = 2 * d * q + 2 * d * k + bias + 3 * d * a.intermediate_size + 2 * d
    return a.vocab_size * d * (1 if a.tied else 2) + a.layers * layer + d


@projections.counter_example("a_key_head_for_each_query_head", of="architecture")
def a_key_head_for_each_query_head(architecture: Architecture) -> Architecture:
    """Forget that heads are grouped."""
    return dataclasses.replace(architecture, kv_heads=architecture.heads)


@projections.counter_example("tied_the_other_way", of="architecture")
def tied_the_other_way(architecture: Architecture) -> Architecture:
    """Tie the head where it is not, or untie it where it is."""
    return dataclasses.replace(architecture, tied=not architecture.tied)


@projections.counter_example("heads_twice_as_wide", of="architecture")
def heads_twice_as_wide(architecture: Architecture) -> Architecture:
    """Take half as many heads, of twice the width: every matrix keeps its shape but those of keys."""
    return dataclasses.replace(
        architecture, heads=architecture.heads // 2, head_dim=2 * architecture.head_dim
    )


@projections.counter_example("out_projection_of_the_keys", of="listed")
def out_projection_of_the_keys(listed: Listed, *, preset: str) -> Listed:
    """List the last layer's output projection with as many columns as the keys have rows."""
    name = f"model.layers.{PRESETS[preset].layers - 1}.self_attn.o_proj.weight"
    return {**listed, name: (PRESETS[preset].hidden_size, PRESETS[preset].kv_size)}


@projections.counter_example("down_as_wide_as_up", of="listed")
def down_as_wide_as_up(listed: Listed) -> Listed:
    """List the first layer's down projection as [in, out]: as many parameters, turned."""
    name = "model.layers.0.mlp.down_proj.weight"
    return {**listed, name: listed[name][::-1]}


@projections.counter_example("one_bias_left_out", of="listed")
def one_bias_left_out(listed: Listed) -> Listed:
    """Leave the first layer's bias of the values out."""
    return {name: rows for name, rows in listed.items() if name != "model.layers.0.self_attn.v_proj.bias"}


@check(
    metrics=[
        Metric("stages", unit="1", kind="count"),
        Metric("width_off", unit="1", kind="count"),
    ]
)
def stage_widths(run: Run, *, preset: str, tokens: int) -> None:
    """Compute on torch's meta tensors, and hold each stage's width against what the architecture states.

    `stages` counts stages of layers and of the whole that were computed; `width_off` is for each the
    distance of its values for a token from the stated number.
    """
    shape = PRESETS[preset]
    build: Build = run.role("decoder", Decoder)
    stated = stage_features(shape)
    count = 0

    def look(stage: str, layer: int | None, values: Tensor) -> Tensor:
        nonlocal count
        count += 1
        run.record("width_off", abs(values.shape[-1] - stated[stage]), label=f"{stage} {layer}")
        return values

    forward_without_values(build(MetaWeights(shape)), tokens, look)
    run.record("stages", count)


def _otherwise(**changes: Any) -> Build:
    """Build a decoder of another architecture than the weights that it is given."""

    def build(weights: MetaWeights) -> Decoder:
        return Decoder(MetaWeights(dataclasses.replace(weights.architecture, **changes)))

    return build


@stage_widths.counter_example("gate_of_another_width", of="decoder")
def gate_of_another_width(decoder: Build, *, preset: str) -> Build:
    """Compute a feed-forward part that is narrower by one value."""
    del decoder
    return _otherwise(intermediate_size=PRESETS[preset].intermediate_size - 1)


@stage_widths.counter_example("last_layer_not_computed", of="decoder")
def last_layer_not_computed(decoder: Build, *, preset: str) -> Build:
    """Leave the last layer out: every width that is seen is right."""
    del decoder
    return _otherwise(layers=PRESETS[preset].layers - 1)


@stage_widths.counter_example("keys_for_every_query", of="decoder")
def keys_for_every_query(decoder: Build, *, preset: str) -> Build:
    """Compute as many key heads as query heads."""
    del decoder
    return _otherwise(kv_heads=PRESETS[preset].heads)


@check(
    metrics=[
        Metric("frequencies", unit="1", kind="count"),
        Metric("not_falling", unit="1", kind="count"),
        Metric("frequency_error", unit="1", low=0.0),
        Metric("halves_differ", unit="1", kind="count"),
    ]
)
def rotary_frequencies(run: Run, *, preset: str) -> None:
    """Read the rotary frequencies off the angles at position 1, of both halves of a head.

    `not_falling` is 1 for each frequency but the first that is not below the one before it;
    `frequency_error` is the relative distance of each from theta^(-2i/d), in float64; `halves_differ`
    counts those that the second half of a head is turned by otherwise.
    """
    shape = PRESETS[preset]
    rotate: Rotate = run.role("rotate", Decoder.rotation)
    cos, sin = rotate(Decoder(MetaWeights(shape)), torch.tensor([[0, 1]]))
    cos, sin = cos[0, 1, 0].double(), sin[0, 1, 0].double()
    half = cos.numel() // 2
    first, second = torch.atan2(-sin[:half], cos[:half]), torch.atan2(sin[half:], cos[half:])
    run.record("frequencies", half)
    run.record("halves_differ", int((first != second).sum()))
    for number, found in enumerate(first.tolist()):
        if number:
            falls = 0 < found < float(first[number - 1])
            run.record("not_falling", int(not falls), label=f"frequency {number}")
        expected = shape.rope_theta ** (-2 * number / shape.head_dim)
        run.record("frequency_error", abs(found - expected) / expected, label=f"frequency {number}")


@rotary_frequencies.counter_example("one_frequency_less", of="rotate")
def one_frequency_less(rotate: Rotate) -> Rotate:
    """Stop one short of half the head."""

    def short(decoder: Decoder, positions: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = rotate(decoder, positions)
        kept = [*range(cos.shape[-1] // 2 - 1)]
        kept += [cos.shape[-1] // 2 + number for number in kept]
        return cos[..., kept], sin[..., kept]

    return short


@rotary_frequencies.counter_example("neighbours_turned", of="rotate")
def neighbours_turned(rotate: Rotate) -> Rotate:
    """Turn neighbours instead of halves: each frequency twice, side by side."""

    def paired(decoder: Decoder, positions: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = rotate(decoder, positions)
        half = cos.shape[-1] // 2
        order = [number + part * half for number in range(half) for part in (0, 1)]
        return cos[..., order], sin[..., order]

    return paired


@rotary_frequencies.counter_example("base_of_another_family", of="rotate")
def base_of_another_family(rotate: Rotate) -> Rotate:
    """Take 10000 for the base: as many frequencies, falling as they should."""

    def otherwise(decoder: Decoder, positions: Tensor) -> tuple[Tensor, Tensor]:
        other = dataclasses.replace(decoder.architecture, rope_theta=1e4)
        return rotate(Decoder(MetaWeights(other)), positions)

    return otherwise


@rotary_frequencies.counter_example("slowest_first", of="rotate")
def slowest_first(rotate: Rotate) -> Rotate:
    """Turn the first values slowest."""

    def turned(decoder: Decoder, positions: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = rotate(decoder, positions)
        half = cos.shape[-1] // 2
        order = [*range(half - 1, -1, -1), *range(2 * half - 1, half - 1, -1)]
        return cos[..., order], sin[..., order]

    return turned
