from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from pv_runtime.errors import ModelError
from pv_runtime.formats import Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.model import Decoder
from pv_runtime.stage_names import stage_features
from pv_runtime.stages import LAYER_STAGES, STAGES
from pv_runtime.trace import Recorder, chosen, top_candidates, trace
from pv_runtime.weights import load_weights
from torch import Tensor

ROOT = Path(__file__).parents[2]
TOKENS = [5, 17, 3, 80, 41, 2]


@pytest.fixture(scope="module")
def decoder(model_folder: Path) -> Decoder:
    return Decoder(load_weights(open_checkpoint(model_folder)))


def digest(values: Tensor) -> str:
    return hashlib.sha256(values.view(torch.uint8).numpy().tobytes()).hexdigest()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-qwen2-7to1"])
def test_tracing_does_not_change_a_bit(name: str, dtype: torch.dtype) -> None:
    decoder = Decoder(load_weights(open_checkpoint(ROOT / "models" / name), dtype=dtype))
    tokens = torch.tensor([[453, 286, 1588, 1930, 7, 11]])
    kept: list[Tensor] = []
    everything = chosen(decoder.architecture)
    recorder = Recorder(everything, everything, lambda *seen: kept.append(seen[2].clone()))
    plain, traced = decoder.forward(tokens), decoder.forward(tokens, tap=recorder)
    assert digest(plain) == digest(traced)
    assert digest(kept[-1][None]) == digest(plain)
    assert len(kept) == len(recorder.statistics) == 3 + 15 * decoder.architecture.layers


def test_every_stage_is_measured_once_in_order(decoder: Decoder) -> None:
    found = trace(decoder, TOKENS)
    expected = [("embedding", None)]
    expected += [(stage, layer) for layer in range(2) for stage in LAYER_STAGES]  # type: ignore[misc]
    expected += [("final_norm", None), ("lm_head", None)]
    assert [(each.stage, each.layer) for each in found.statistics] == expected
    features = stage_features(decoder.architecture)
    for each in found.statistics:
        assert each.all.count == len(TOKENS) * features[each.stage]
        assert each.last.count == features[each.stage]
    assert (found.tokens, found.dtype, found.layers) == (tuple(TOKENS), "float32", 2)


def test_figures_are_those_of_the_values_that_pass(decoder: Decoder) -> None:
    seen: dict[tuple[str, int | None], Tensor] = {}
    everything = chosen(decoder.architecture)
    found = trace(
        decoder,
        TOKENS,
        kept=everything,
        keep=lambda stage, layer, values: seen.update({(stage, layer): values}),
    )
    for each in found.statistics:
        values = seen[each.stage, each.layer].double()
        assert each.all.std == pytest.approx(float(values.std()), rel=1e-9)
        assert each.last.mean == pytest.approx(float(values[-1].mean()), rel=1e-9, abs=1e-12)
    swish = torch.nn.functional.silu(seen["ffn_gate", 1]) * seen["ffn_up", 1]
    assert torch.equal(swish, seen["ffn_swiglu", 1])


def test_only_what_was_asked_for_is_measured(decoder: Decoder) -> None:
    asked = chosen(decoder.architecture, ["ffn_gate", "lm_head"], [1])
    assert list(asked) == [("ffn_gate", 1), ("lm_head", None)]
    found = trace(decoder, TOKENS, measured=asked)
    assert [(each.stage, each.layer) for each in found.statistics] == list(asked)
    assert found.of("ffn_gate", 1).layer == 1
    with pytest.raises(KeyError):
        found.of("ffn_gate", 0)
    assert {stage for stage, _ in chosen(decoder.architecture, None, [0])} == set(LAYER_STAGES)
    assert {stage for stage, _ in chosen(decoder.architecture)} == set(STAGES)


def test_stages_are_sorted_whatever_order_they_are_computed_in() -> None:
    recorder = Recorder([("ffn_up", 0), ("ffn_silu", 0)])
    for stage in ("ffn_silu", "ffn_up"):
        recorder(stage, 0, torch.ones(1, 2, 3))
    assert [each.stage for each in recorder.in_order()] == ["ffn_up", "ffn_silu"]


def test_the_likeliest_tokens_are_those_of_the_logits(decoder: Decoder) -> None:
    logits = decoder.forward(torch.tensor([TOKENS]))[0, -1]
    found = trace(decoder, TOKENS).top
    assert [each.token for each in found] == logits.argsort(descending=True)[:5].tolist()
    shares = logits.double().softmax(0)
    for each in found:
        assert each.logit == float(logits[each.token])
        assert each.probability == pytest.approx(float(shares[each.token]), rel=1e-12)


def test_what_is_not_finite_is_no_candidate() -> None:
    logits = torch.tensor([math.nan, 1.0, math.inf, 0.0, -math.inf])
    assert [each.token for each in top_candidates(logits)] == [1, 3]
    assert top_candidates(torch.full((9,), math.nan)) == ()


def test_one_nan_in_a_weight_is_counted_from_its_stage_on(model_folder: Path) -> None:
    model = open_checkpoint(model_folder)
    name = "model.layers.1.mlp.up_proj.weight"
    values = model.tensor(name).copy()
    values[7, 5] = np.nan
    damaged = Overlay(model, replace={name: from_values(name, values.shape, lambda: values, "F32")})
    found = trace(Decoder(load_weights(damaged)), TOKENS)
    first = next(each for each in found.statistics if each.all.nan)
    assert (first.stage, first.layer, first.all.nan, first.last.nan) == ("ffn_up", 1, len(TOKENS), 1)
    assert found.of("lm_head").all.nan == found.of("lm_head").all.count
    assert found.top == ()


def test_tokens_without_an_answer_are_refused(decoder: Decoder) -> None:
    for tokens in ([], [96], [-1], [0] * 513):
        with pytest.raises(ModelError):
            trace(decoder, tokens)
