from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pv_runtime.anomalies import Anomaly, anomalies, feed_forward_rows
from pv_runtime.formats import open_checkpoint
from pv_runtime.model import Decoder
from pv_runtime.stages import LAYER_STAGES
from pv_runtime.trace import trace
from pv_runtime.trace_statistics import StageStatistics, stage_statistics
from pv_runtime.weights import load_weights
from torch import Tensor

ROOT = Path(__file__).parents[2]
Damage = Callable[[str, int, Tensor], Tensor]
LAYERS = 28


def unchanged(_stage: str, _layer: int, values: Tensor) -> Tensor:
    return values


def traced(damage: Damage = unchanged, layers: int = LAYERS) -> list[StageStatistics]:
    """Make a trace of normal values whose spread varies from layer to layer as in a real model."""
    generator = torch.Generator().manual_seed(5)
    found = []
    for layer in range(layers):
        for stage in LAYER_STAGES:
            scale = math.exp(0.15 * float(torch.randn((), generator=generator)))
            values = scale * torch.randn(7, 600, generator=generator)
            found.append(stage_statistics(stage, layer, damage(stage, layer, values)))
    return found


def at(stage: str, layer: int, change: Callable[[Tensor], Tensor]) -> Damage:
    return lambda s, number, values: change(values) if (s, number) == (stage, layer) else values


def places(found: tuple[Anomaly, ...]) -> list[tuple[str, str, str, int | None, str]]:
    return [(each.severity, each.kind, each.stage, each.layer, each.of) for each in found]


def test_a_model_without_damage_shows_nothing() -> None:
    assert anomalies(traced()) == ()


@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-qwen2-7to1", "tiny-qwen2-q4_k"])
@pytest.mark.parametrize("tokens", [[54, 71, 271, 315, 220, 17, 10, 17, 30], [453, 286, 1588, 1930], [9]])
def test_working_models_show_nothing(name: str, tokens: list[int]) -> None:
    decoder = Decoder(load_weights(open_checkpoint(ROOT / "models" / name)))
    assert anomalies(trace(decoder, tokens).statistics) == ()


@pytest.mark.parametrize(("layer", "factor"), [(0, 30), (0, 1 / 30), (3, 8), (14, 1 / 8), (26, 8), (27, 30)])
def test_a_layer_unlike_its_neighbours_is_suspect(layer: int, factor: float) -> None:
    (found,) = anomalies(traced(at("ffn_gate", layer, lambda values: values * factor)))
    assert places((found,)) == [("suspect", "outlier", "ffn_gate", layer, "last")]
    assert found.value / found.usual == pytest.approx(factor, rel=0.5)
    assert f"layer-{layer}/ffn_gate" in found.text
    assert "last token" in found.text


def test_the_ends_of_a_model_may_be_unlike_the_rest() -> None:
    for layer in (0, 27):
        assert anomalies(traced(at("ffn_gate", layer, lambda values: values * 5))) == ()
    assert anomalies(traced(at("ffn_gate", 9, lambda values: values * 5))) != ()


def test_a_damaged_layer_does_not_hide_itself_among_few() -> None:
    (found,) = anomalies(traced(at("ffn_gate", 2, lambda values: values * 8), layers=5))
    assert places((found,)) == [("suspect", "outlier", "ffn_gate", 2, "last")]


def test_the_stream_grows_and_does_not_fall() -> None:
    def stream(factor: Callable[[int], float]) -> Damage:
        return lambda stage, layer, values: values * factor(layer) if stage == "layer_output" else values

    assert anomalies(traced(stream(lambda layer: 30.0 if layer >= 9 else 1.0))) == ()
    assert anomalies(traced(stream(lambda layer: 2.0**layer))) == ()
    (found,) = anomalies(traced(stream(lambda layer: 0.1 if layer >= 9 else 1.0)))
    assert places((found,)) == [("suspect", "outlier", "layer_output", 9, "last")]


def massive(values: Tensor, token: int = 0, channels: int = 2) -> Tensor:
    values = values.clone()
    values[token, 30 : 30 + channels] = 4000.0
    return values


def test_a_massive_activation_of_the_first_token_is_expected() -> None:
    (found,) = anomalies(traced(at("ffn_out", 3, massive)))
    assert places((found,)) == [("expected", "outlier", "ffn_out", 3, "all")]
    assert (found.token, found.channel) == (0, 30)
    assert found.value / found.usual > 50
    assert "token 0 alone" in found.text


def test_the_same_on_another_token_or_in_many_channels_is_suspect() -> None:
    (found,) = anomalies(traced(at("ffn_out", 3, lambda values: massive(values, token=2))))
    assert (found.severity, found.token) == ("suspect", 2)
    (found,) = anomalies(traced(at("ffn_out", 3, lambda values: massive(values, channels=200))))
    assert found.severity == "suspect"


def test_the_last_token_decides() -> None:
    (found,) = anomalies(traced(at("ffn_out", 3, lambda values: massive(values, token=6))))
    assert (found.severity, found.of) == ("suspect", "last")


def test_values_that_are_not_finite_are_defects() -> None:
    def change(values: Tensor) -> Tensor:
        values = values.clone()
        values[0, 0], values[6, 1], values[6, 2] = math.nan, math.inf, -math.inf
        return values

    found = anomalies(traced(at("ffn_up", 4, change)))
    assert places(found) == [
        ("defect", "nan", "ffn_up", 4, "all"),
        ("defect", "infinite", "ffn_up", 4, "all"),
    ]
    assert (found[0].value, found[1].value) == (1, 2)
    assert "1 of 4200 values are not a number, 0 of them in the last token" in found[0].text


def test_dead_stages_are_defects() -> None:
    found = anomalies(traced(at("ffn_silu", 4, torch.zeros_like)))
    assert ("defect", "constant", "ffn_silu", 4, "all") in places(found)
    found = anomalies(traced(at("ffn_silu", 4, lambda values: values * (torch.arange(600) % 3 == 0))))
    assert {each[:4] for each in places(found)} == {("defect", "zeros", "ffn_silu", 4)}
    found = anomalies(traced(at("ffn_silu", 4, lambda values: torch.cat([values[:6], values[:1] * 0 + 2]))))
    assert ("defect", "constant", "ffn_silu", 4, "last") in places(found)
    half = at("ffn_silu", 4, lambda values: values * (torch.arange(600) % 2 == 0))
    assert anomalies(traced(half)) == ()  # half, and not more


def test_defects_come_first() -> None:
    def change(stage: str, layer: int, values: Tensor) -> Tensor:
        if (stage, layer) == ("attn_norm", 6):
            return values * 50
        return values * math.nan if (stage, layer) == ("ffn_out", 20) else values

    found = anomalies(traced(change))
    assert [each.severity for each in found] == ["defect", "suspect"]


def test_a_few_layers_are_not_judged_beside_each_other() -> None:
    assert anomalies(traced(at("ffn_gate", 1, lambda values: values * 100), layers=4)) == ()
    assert anomalies(traced(at("ffn_gate", 1, lambda values: values * 100), layers=5)) != ()


def test_a_feed_forward_part_shows_where_a_large_value_enters() -> None:
    def change(stage: str, layer: int, values: Tensor) -> Tensor:
        return values * 18 if layer == 9 and stage in {"ffn_swiglu", "ffn_out"} else values

    rows = {row.layer: row for row in feed_forward_rows(traced(change))}
    assert len(rows) == LAYERS
    assert rows[9].enters == "ffn_swiglu"
    assert rows[9].ratios["ffn_swiglu"] == pytest.approx(18, rel=0.5)
    assert all(row.enters is None for layer, row in rows.items() if layer != 9)
    assert max(rows[9].ratios[stage] for stage in ("ffn_norm", "ffn_gate", "ffn_up", "ffn_silu")) < 2


def test_a_first_token_enters_nowhere_for_the_last() -> None:
    found = traced(at("ffn_out", 9, massive))
    assert {row.enters for row in feed_forward_rows(found)} == {None}
    assert {row.layer for row in feed_forward_rows(found, "all") if row.enters} == {9}
    assert feed_forward_rows([each for each in found if each.stage != "ffn_up"]) == ()
