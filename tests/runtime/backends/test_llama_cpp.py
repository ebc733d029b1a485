"""llama.cpp as an outside oracle: its logits and each of its graph's nodes (make oracles)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from pv_runtime.architecture import Architecture
from pv_runtime.backends import Backend, open_backend
from pv_runtime.errors import ModelError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.random_model import RandomModel
from pv_runtime.stages import STAGES, WHOLE
from torch import Tensor

MODELS = Path(__file__).resolve().parents[3] / "models"
Seen = dict[tuple[str, int | None], Tensor]

ROUNDING = {"f32": 2.0**-23, "f16": 2.0**-12, "q8_0": 2.0**-8, "q4_k": 2.0**-8}
"""Relative deviation of an activation as llama.cpp's products see it: F16 rounds by up to 2^-11 and
2^-12 rms or so; an 8-bit block by half a step of its largest value over 127, for normal values some
2^-8 of their deviation."""

pytestmark = pytest.mark.oracle


def shape_of(family: str, *, tied: bool = True) -> Architecture:
    return Architecture(
        family=family,
        hidden_size=64,
        intermediate_size=96,
        layers=3,
        heads=8,
        kv_heads=2,
        head_dim=8,
        vocab_size=77,
        max_positions=64,
        rope_theta=1e4,
        rms_norm_eps=1e-5,
        qkv_bias=family == "qwen2",
        tied=tied,
    )


def prompt(architecture: Architecture, count: int = 30, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(architecture.vocab_size, (batch, count), generator=generator)


def budget(kind: str, layers: int) -> float:
    """Each block rounds before four products, whose errors add up as a walk through the residual stream."""
    return ROUNDING[kind] * math.sqrt(4 * layers + 1) * 2


def relative(values: Tensor, others: Tensor) -> float:
    return float((values - others).norm() / others.norm())


@pytest.fixture(scope="module", params=["qwen2", "llama"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Backend, Backend]:
    shape = shape_of(request.param, tied=request.param == "qwen2")
    model = RandomModel(shape).save(tmp_path_factory.mktemp("model"))
    return open_backend("reference", model), open_backend("llama.cpp", model)


def test_float32_logits_agree(pair: tuple[Backend, Backend]) -> None:
    ours, theirs = pair
    tokens = prompt(ours.architecture, batch=2)
    assert relative(theirs.forward(tokens), ours.forward(tokens)) <= budget("f32", 3) * 16


def _exported(kind: str, folder: Path) -> Checkpoint:
    if kind == "q4_k":
        return open_checkpoint(MODELS / "tiny-qwen2-q4_k" / "model.gguf")
    source, output = open_checkpoint(MODELS / "tiny-qwen2"), str(folder / f"{kind}.gguf")
    if kind == "f16":
        export(source, output, "gguf")
    else:
        from pv_runtime.convert import convert

        convert(source, output, "q8_0")
    return open_checkpoint(output)


@pytest.mark.parametrize("kind", ["f16", "q8_0", "q4_k"])
def test_logits_of_the_exported_model_agree_within_what_llama_cpp_rounds(kind: str, tmp_path: Path) -> None:
    """Both compute with the same stored weights: what differs is how llama.cpp rounds activations."""
    model = _exported(kind, tmp_path)
    ours, theirs = open_backend("reference", model), open_backend("llama.cpp", model)
    tokens = prompt(ours.architecture, 64)
    difference = relative(theirs.forward(tokens), ours.forward(tokens))
    # How much it rounds depends on the processor that it was built for; that it does not round, on nothing.
    assert 0 < difference <= budget(kind, ours.architecture.layers)


def test_padding_is_left_out(pair: tuple[Backend, Backend]) -> None:
    ours, theirs = pair
    tokens = prompt(ours.architecture, 12, batch=2)
    attended = torch.ones(tokens.shape, dtype=torch.bool)
    attended[1, :5] = False
    difference = (theirs.forward(tokens, attended=attended) - ours.forward(tokens, attended=attended))[
        attended
    ]
    assert difference.abs().max() < 1e-4


def test_every_stage_but_one_is_shown_and_agrees(pair: tuple[Backend, Backend]) -> None:
    ours, theirs = pair
    tokens = prompt(ours.architecture)
    mine: Seen = {}
    hers: Seen = {}

    def keep(kept: Seen, stage: str, layer: int | None, values: Tensor) -> Tensor:
        kept[stage, layer] = values.clone()
        return values

    ours.forward(tokens, tap=lambda *place: keep(mine, *place))
    plain = theirs.forward(tokens)
    assert torch.equal(theirs.forward(tokens, tap=lambda *place: keep(hers, *place)), plain)
    assert {stage for stage, _ in mine.keys() - hers.keys()} == {"ffn_silu"}
    assert {stage for stage, _ in hers} == theirs.shows
    for place, values in hers.items():
        assert values.shape == mine[place].shape
        assert relative(values, mine[place]) <= 1e-4, place


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "ffn_silu"])
def test_what_a_tap_returns_is_computed_on_with(pair: tuple[Backend, Backend], stage: str) -> None:
    ours, theirs = pair
    tokens = prompt(ours.architecture, 12)
    for layer in [None] if stage in WHOLE else range(ours.architecture.layers):

        def inject(at: str, index: int | None, values: Tensor, place: object = (stage, layer)) -> Tensor:
            return values.roll(3, dims=1) if (at, index) == place else values

        plain, injected = ours.forward(tokens), ours.forward(tokens, tap=inject)
        assert relative(injected, plain) > 1e-2
        expected = injected if stage in theirs.takes else plain
        assert relative(theirs.forward(tokens, tap=inject), expected) <= 1e-4


def test_an_altered_model_is_exported_anew_and_not_read_from_its_file() -> None:
    source = open_checkpoint(MODELS / "tiny-qwen2-q4_k" / "model.gguf")
    name = "model.norm.weight"
    halved = from_values(name, source.info(name).shape, lambda: source.tensor(name) / np.float32(2), "F32")
    altered = Overlay(source, replace={name: halved})
    tokens = prompt(open_backend("reference", source).architecture, 8)
    before, after = (open_backend("llama.cpp", model).forward(tokens) for model in (source, altered))
    assert relative(after, before / 2) < 1e-2


def test_its_limits_are_said(pair: tuple[Backend, Backend]) -> None:
    _, theirs = pair
    with pytest.raises(ModelError, match="one sequence at a time"):
        theirs.forward(prompt(theirs.architecture, 4, batch=2), tap=lambda _s, _l, values: values)
    with pytest.raises(ModelError, match="out of range"):
        theirs.forward(torch.tensor([[77]]))
    model = open_checkpoint(MODELS / "tiny-qwen2-q4_k" / "model.gguf")
    with pytest.raises(ModelError, match=r"types of the file, and not in torch\.bfloat16"):
        open_backend("llama.cpp", model, dtype=torch.bfloat16)


def test_an_error_in_a_tap_comes_through(pair: tuple[Backend, Backend]) -> None:
    _, theirs = pair

    def fails(stage: str, _layer: int | None, values: Tensor) -> Tensor:
        if stage == "ffn_out":
            raise ZeroDivisionError
        return values

    with pytest.raises(ZeroDivisionError):
        theirs.forward(prompt(theirs.architecture, 4), tap=fails)
    with pytest.raises(ModelError, match=r"ffn_out-0 has 256 values, and is given 3"):
        theirs.forward(
            prompt(theirs.architecture, 4), tap=lambda s, _l, v: v if s != "ffn_out" else torch.ones(3)
        )
