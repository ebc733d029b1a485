from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.architecture import Architecture
from pv_runtime.stage_names import (
    chosen_layers,
    chosen_stages,
    in_order,
    parsed_name,
    stage_features,
    written_name,
)
from pv_runtime.stages import LAYER_STAGES, STAGES, WHOLE

KEYS = st.tuples(st.sampled_from(sorted(LAYER_STAGES)), st.integers(0, 9999)) | st.tuples(
    st.sampled_from(sorted(WHOLE)), st.none()
)


@given(KEYS)
def test_a_name_is_read_as_it_was_written(key: tuple[str, int | None]) -> None:
    assert parsed_name(written_name(*key)) == key


@given(st.text("layer-/0123456789_embdingfotu", max_size=24))
def test_what_is_read_is_what_would_be_written(text: str) -> None:
    key = parsed_name(text)
    assert key is None or written_name(*key) == text


@pytest.mark.parametrize(
    "name",
    ["", "ffn_out", "layer-0/embedding", "layer-/ffn_out", "layer-01/ffn_out", "layer--1/ffn_out",
     "lm_heads", "layer-٣/ffn_out", "3/ffn_out", "layer-1/layer-2/ffn_out", "/embedding",
     "layer-" + "9" * 5000 + "/ffn_out"],
)  # fmt: skip
def test_other_names_are_no_stages(name: str) -> None:
    assert parsed_name(name) is None


def test_the_other_spelling_is_understood() -> None:
    assert parsed_name("layer-3/ffn_swigl") == ("ffn_swiglu", 3)
    assert parsed_name("layer-0/post_ffn_residual") == ("layer_output", 0)
    assert chosen_stages("ffn_swigl, ffn_gate") == ("ffn_gate", "ffn_swiglu")


def test_stages_come_in_the_order_of_computation() -> None:
    keys = [("lm_head", None), ("ffn_out", 10), ("ffn_norm", 2), ("attn_norm", 10), ("embedding", None)]
    keys.append(("final_norm", None))
    assert [written_name(*key) for key in in_order(keys)] == [
        "embedding", "layer-2/ffn_norm", "layer-10/attn_norm", "layer-10/ffn_out", "final_norm", "lm_head",
    ]  # fmt: skip


def test_stages_and_layers_are_chosen_by_name() -> None:
    assert chosen_stages("all") == tuple(STAGES)
    with pytest.raises(ValueError, match=r"no stage 'ffn'.*ffn_swiglu"):
        chosen_stages("ffn")
    assert chosen_layers("3", 4) == (3,)
    assert chosen_layers("1..3", 4) == (1, 2, 3)
    wrong = {"4": "no layer 4", "0..4": "no layer 4", "2..1": "backwards"}
    wrong |= dict.fromkeys(("-1", "1..", "", "1..2..3", "9" * 99), "neither")
    for text, why in wrong.items():
        with pytest.raises(ValueError, match=why):
            chosen_layers(text, 4)


def test_features_are_those_of_the_architecture() -> None:
    a = Architecture("qwen2", 896, 4864, 24, 14, 2, 64, 151936, 32768, 1e6, 1e-6, True, True)
    found = stage_features(a)
    assert list(found) == list(STAGES)
    assert (found["qkv_bias"], found["k_post_rope"], found["attention"]) == (1152, 128, 896)
    assert (found["ffn_swiglu"], found["ffn_out"], found["lm_head"]) == (4864, 896, 151936)
