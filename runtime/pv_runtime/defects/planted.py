"""The defects: how each is planted, and what `apr bisect` is to say of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pv_runtime.backends import ReferenceBackend
from pv_runtime.bisect.sides import Side
from pv_runtime.defects import computation
from pv_runtime.defects.computation import LAYER
from pv_runtime.defects.loading import (
    AlteredWeights,
    changed,
    damaged_block,
    misread,
    rows_in_pairs,
    swap_gate_and_up,
)
from pv_runtime.defects.models import overflowing, square, stored_as
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder
from pv_runtime.weights import LayerWeights, Weights, load_weights

__all__ = ["DEFECTS", "Defect", "side"]

Plant = Callable[[Checkpoint], Side]


@dataclasses.dataclass(frozen=True, slots=True)
class Defect:
    """One thing done wrong.

    Parameters
    ----------
    name
        What it is.
    plant
        Makes the candidate of the working model.
    stage, layer, signature
        What is to be named. A defect of every block is named where it first shows, in block 0.
    model
        Makes the working model; the trained one where it is None.
    """

    name: str
    plant: Plant
    stage: str
    layer: int | None
    signature: str
    model: Callable[[], Checkpoint] | None = None


def side(model: Checkpoint, kind: type[Decoder] = Decoder, dtype: torch.dtype = torch.float32) -> Side:
    """Load a model into a decoder of this kind."""
    return Side.of("planted", ReferenceBackend(kind(load_weights(model, dtype=dtype))), model, dtype)


def _computing(kind: type[Decoder]) -> Plant:
    return lambda model: side(model, kind)


def _loading(alter: Callable[[int, LayerWeights], LayerWeights]) -> Plant:
    """Mistake weights of a sound file, which the bisector reads as they are."""

    def plant(model: Checkpoint) -> Side:
        weights = load_weights(model)
        altered = AlteredWeights(weights, alter)
        decoder = Decoder(altered)  # type: ignore[arg-type]
        return dataclasses.replace(Side.of("planted", ReferenceBackend(decoder), model), weights=weights)

    return plant


def _at(layer: int, **fields: Callable[[LayerWeights], object]) -> Plant:
    def alter(index: int, weights: LayerWeights) -> LayerWeights:
        if index != layer:
            return weights
        changes: dict[str, Any] = {name: of(weights) for name, of in fields.items()}
        return dataclasses.replace(weights, **changes)

    return _loading(alter)


def _other_layer(model: Checkpoint) -> Side:
    """Block 3 gets the weights of block 2."""
    weights = load_weights(model)
    assert isinstance(weights, Weights)  # noqa: S101
    altered = AlteredWeights(weights, lambda index, own: weights.layer(LAYER) if index == LAYER + 1 else own)
    decoder = Decoder(altered)  # type: ignore[arg-type]
    return dataclasses.replace(Side.of("planted", ReferenceBackend(decoder), model), weights=weights)


def _random_head(model: Checkpoint) -> Side:
    """Leave the tied head as it was initialised."""
    weights = load_weights(model)
    noise = torch.randn(weights.head.shape, generator=torch.Generator().manual_seed(3)) * 0.02
    decoder = Decoder(AlteredWeights(weights, head=lambda _: noise))  # type: ignore[arg-type]
    return dataclasses.replace(Side.of("planted", ReferenceBackend(decoder), model), weights=weights)


def _transposed_head(model: Checkpoint) -> Side:
    """Read the head's bytes as [hidden, vocab]."""
    weights = load_weights(model)
    altered = AlteredWeights(weights, head=lambda w: w.reshape(w.shape[1], w.shape[0]).T)
    decoder = Decoder(altered)  # type: ignore[arg-type]
    return dataclasses.replace(Side.of("planted", ReferenceBackend(decoder), model), weights=weights)


def _name(what: str, layer: int = LAYER) -> str:
    return f"model.layers.{layer}.{what}"


def _file(name: str, change: Callable[..., object]) -> Plant:
    return lambda model: side(changed(model, name, change))  # type: ignore[arg-type]


def _swapped_queries_and_keys(model: Checkpoint) -> Side:
    q, k = (_name(f"self_attn.{part}_proj.weight", 1) for part in "qk")
    return side(changed(changed(model, q, lambda _: model.tensor(k)), k, lambda _: model.tensor(q)))


def _one_nan(values: np.ndarray) -> np.ndarray:
    damaged = values.copy()
    damaged[17, 33] = np.nan
    return damaged


def _twice_the_bias(weights: LayerWeights) -> torch.Tensor:
    assert weights.qkv_bias is not None  # noqa: S101 - the model has biases
    return 2 * weights.qkv_bias


_GATE = _name("mlp.gate_proj.weight", 1)
_DOWN = _name("mlp.down_proj.weight", 3)

DEFECTS: tuple[Defect, ...] = (
    Defect(
        "a transposed square weight",
        _at(LAYER, attn_out=lambda w: w.attn_out.T.contiguous()),
        "attn_out",
        LAYER,
        "transposed",
        square,
    ),
    Defect(
        "a transposed weight in the file",
        _file(_name("self_attn.v_proj.weight"), lambda w: w.T.copy()),
        "qkv_matmul",
        LAYER,
        "transposed",
        square,
    ),
    Defect("a transposed lm_head", _transposed_head, "lm_head", None, "transposed", square),
    Defect("gate and up swapped", _loading(swap_gate_and_up(3)), "ffn_gate", 3, "wrong tensor"),
    Defect("q and k swapped", _swapped_queries_and_keys, "qkv_matmul", 1, "wrong tensor", square),
    Defect(
        "wrong head mapping",
        _computing(computation.AllHeadsOverKeyHeadsReversed),
        "attention",
        0,
        "wrong head mapping",
    ),
    Defect(
        "K and V repeated in the wrong order",
        _computing(computation.TiledKeysAndValues),
        "attention",
        0,
        "wrong head mapping",
    ),
    Defect(
        "V alone repeated in the wrong order",
        _computing(computation.TiledValues),
        "attention",
        0,
        "wrong head mapping",
    ),
    Defect(
        "interleaved instead of split RoPE",
        _computing(computation.InterleavedRotation),
        "q_post_rope",
        0,
        "interleaved RoPE",
    ),
    Defect("wrong rope base", _computing(computation.RotaryBase), "q_post_rope", 0, "wrong rope base"),
    Defect(
        "frequencies in bfloat16",
        _computing(computation.BfloatAngles),
        "q_post_rope",
        0,
        "angles in bfloat16",
    ),
    Defect(
        "positions off by one",
        _computing(computation.PositionsFromOne),
        "q_post_rope",
        0,
        "positions off by one",
    ),
    Defect(
        "positions restart with the cache",
        _computing(computation.PositionsRestart),
        "q_post_rope",
        0,
        "positions restart with the cache",
    ),
    Defect("missing causal mask", _computing(computation.SeesAhead), "attention", 0, "missing causal mask"),
    Defect(
        "mask not moved with the cache",
        _computing(computation.MaskNotMoved),
        "attention",
        0,
        "mask not moved with the cache",
    ),
    Defect(
        "a sliding window that nobody asked for",
        _computing(computation.SlidingWindow),
        "attention",
        0,
        "sliding window",
    ),
    Defect(
        "stale KV-cache row", _computing(computation.CacheRowNotWritten), "attention", 0, "stale cache row"
    ),
    Defect("missing bias", _at(LAYER, qkv_bias=lambda _: None), "qkv_bias", LAYER, "missing bias"),
    Defect("doubled bias", _at(LAYER, qkv_bias=_twice_the_bias), "qkv_bias", LAYER, "doubled bias"),
    Defect("eps 1e-5 for 1e-6", _computing(computation.LargeEpsilon), "attn_norm", 0, "wrong eps"),
    Defect(
        "norm weight off by one",
        _computing(computation.AddsOneToNormWeights),
        "attn_norm",
        0,
        "norm weight off by one",
    ),
    Defect(
        "LayerNorm for RMSNorm", _computing(computation.CentredNorm), "attn_norm", 0, "LayerNorm for RMSNorm"
    ),
    Defect("tied head left random", _random_head, "lm_head", None, "random weight"),
    Defect(
        "silu on the wrong operand",
        _computing(computation.SiluOfUp),
        "ffn_silu",
        0,
        "activation on the wrong operand",
    ),
    Defect("gelu for silu", _computing(computation.Gelu), "ffn_silu", 0, "other activation"),
    Defect(
        "residual dropped",
        _computing(computation.DropsResidual),
        "post_attn_residual",
        LAYER,
        "residual dropped",
    ),
    Defect("a layer skipped", _computing(computation.SkipsLayer), "attn_norm", LAYER, "layer skipped"),
    Defect("another layer's weights", _other_layer, "attn_norm", LAYER + 1, "wrong tensor"),
    Defect(
        "one Q4_K block's scale wrong",
        lambda model: side(damaged_block(model, _GATE, 41)),
        "ffn_gate",
        1,
        "wrong block",
        lambda: stored_as(square(), _GATE, "Q4_K"),
    ),
    Defect(
        "Q5_K bytes read as Q4_K",
        lambda model: side(misread(model, _DOWN, "Q4_K")),
        "ffn_out",
        3,
        "read as another format",
        lambda: stored_as(square(), _DOWN, "Q5_K"),
    ),
    Defect("one NaN", _file(_name("mlp.down_proj.weight", 4), _one_nan), "ffn_out", 4, "NaN"),
    Defect(
        "fp16 overflow",
        lambda model: side(model, dtype=torch.float16),
        "ffn_up",
        1,
        "overflow",
        lambda: overflowing(square(), 1),
    ),
    Defect(
        "softmax over the wrong axis",
        _computing(computation.SoftmaxOverQueries),
        "attention",
        0,
        "softmax over the wrong axis",
    ),
    Defect(
        "scores not divided by sqrt(d)",
        _computing(computation.UnscaledScores),
        "attention",
        0,
        "wrong score scale",
    ),
    Defect(
        "logits of the wrong token",
        _computing(computation.LogitsOfTheTokenBefore),
        "lm_head",
        None,
        "values of another token",
    ),
    Defect(
        "q and k rows in GGUF's order",
        _loading(lambda index, w: w if index != 1 else dataclasses.replace(w, qkv=_in_pairs(w.qkv))),
        "qkv_matmul",
        1,
        "permuted rows",
        square,
    ),
    Defect(
        "embedding multiplied by sqrt(hidden)",
        _computing(computation.ScaledEmbedding),
        "embedding",
        None,
        "scaled",
    ),
    Defect(
        "one tensor scaled",
        _file(_name("mlp.up_proj.weight", 5), lambda w: w * np.float32(0.5)),
        "ffn_up",
        5,
        "scaled",
    ),
)
"""All planted defects."""


def _in_pairs(qkv: torch.Tensor) -> torch.Tensor:
    q, k, v = qkv.chunk(3)
    return torch.cat([rows_in_pairs(q, 64), rows_in_pairs(k, 64), v])
