from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.architecture import Architecture, architecture_of, check_tensors, tensor_shapes
from pv_runtime.errors import LoadError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.presets import config_json
from pv_runtime.random_model import RandomModel
from pv_runtime.weights import load_weights

SHAPE = Architecture(
    family="qwen2",
    hidden_size=64,
    intermediate_size=96,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=16,
    vocab_size=50,
    max_positions=128,
    rope_theta=1e6,
    rms_norm_eps=1e-6,
    qkv_bias=True,
    tied=True,
)
LLAMA = dataclasses.replace(SHAPE, family="llama", qkv_bias=False, tied=False, rope_theta=1e4, head_dim=32)
FIELDS = [
    "model_type",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "max_position_embeddings",
    "rope_theta",
    "rms_norm_eps",
]


def with_config(shape: Architecture, **changes: Any) -> Checkpoint:
    """View a random model whose config says otherwise; a change to None takes the field out."""
    config = {**config_json(shape), **changes}
    config = {key: value for key, value in config.items() if value is not None}
    return Overlay(RandomModel(shape), metadata={"config": config})


@pytest.mark.parametrize("shape", [SHAPE, LLAMA], ids=["qwen2", "llama"])
@pytest.mark.parametrize("form", ["safetensors", "gguf", "apr"])
def test_one_model_is_of_one_architecture_in_every_format(
    shape: Architecture, form: str, tmp_path: Path
) -> None:
    output = str(tmp_path / f"exported.{form}")
    export(RandomModel(shape).save(tmp_path), output, form)
    assert architecture_of(open_checkpoint(output)) == shape


@pytest.mark.parametrize("form", ["gguf", "apr"])
def test_the_formats_own_keys_say_it_without_the_config_they_carry(form: str, tmp_path: Path) -> None:
    output = str(tmp_path / f"exported.{form}")
    export(RandomModel(SHAPE).save(tmp_path), output, form)
    written = open_checkpoint(output)
    own = {key: value for key, value in written.metadata.items() if key not in {"config", "pv.config"}}
    assert len(own) < len(written.metadata)
    assert architecture_of(Overlay(written, metadata=own)) == SHAPE


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_named(field: str) -> None:
    expected = "architecture" if field == "model_type" else field
    with pytest.raises(LoadError, match=expected):
        architecture_of(with_config(SHAPE, **{field: None}))


ABSURD = st.sampled_from([0, -1, True, "8", [], 2**31, float("nan"), float("inf"), 0.5, -1e-6])


@settings(max_examples=60, deadline=None)
@given(field=st.sampled_from(FIELDS[1:]), value=ABSURD)
def test_an_absurd_field_is_named(field: str, value: object) -> None:
    if value == 0.5 and field in {"rope_theta", "rms_norm_eps"}:
        return  # odd, and possible
    with pytest.raises(LoadError, match=field):
        architecture_of(with_config(SHAPE, **{field: value}))


SHAPED = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"]


@settings(max_examples=60, deadline=None)
@given(field=st.sampled_from([*SHAPED, "num_key_value_heads"]), factor=st.sampled_from([0.5, 2, 3]))
def test_a_field_that_contradicts_the_tensors_is_refused(field: str, factor: float) -> None:
    """However it is altered, each number of the shape shows in some tensor's."""
    altered = max(int(config_json(SHAPE)[field] * factor), 1)
    with pytest.raises(LoadError):
        load_weights(with_config(SHAPE, **{field: altered}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 99}, r"contradicts its tensors: model.embed_tokens.weight \[50, 64\] instead of"),
        ({"num_hidden_layers": 3}, "lacks model.layers.2.input_layernorm.weight.* and 9 more"),
        ({"num_hidden_layers": 1}, "has model.layers.1.*which qwen2 does not compute with"),
        ({"tie_word_embeddings": False}, "lacks lm_head.weight"),
        ({"model_type": "llama"}, "_proj.bias.*which llama does not compute with"),
        ({"model_type": "bert"}, "architecture 'bert'"),
        ({"model_type": "gemma2"}, "architecture 'gemma2'"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"use_sliding_window": True}, "sets use_sliding_window"),
        ({"rope_parameters": 5}, "rope_parameters are 5"),
        ({"rope_parameters": {"rope_theta": 5.0}}, "5.0 in its rope_parameters"),
        ({"partial_rotary_factor": 0.5}, "a part of each head"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, r"rotary embedding \(yarn\)"),
        ({"rope_scaling": {"type": "linear", "factor": 4.0}}, r"rotary embedding \(linear\)"),
        ({"num_attention_heads": 5}, "5 query heads, no multiple of its 2 key heads"),
        ({"num_attention_heads": 3, "num_key_value_heads": 3}, "no multiple of its 3 heads"),
        ({"head_dim": 15}, "head_dim is 15"),
        ({"head_dim": 8}, "contradicts its tensors"),
        ({"head_dim": "16"}, "head_dim"),
    ],
)
def test_what_is_not_computed_here_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        load_weights(with_config(SHAPE, **changes))


def test_a_llama_with_biases_is_refused_by_name() -> None:
    with pytest.raises(LoadError, match="sets mlp_bias"):
        architecture_of(with_config(LLAMA, mlp_bias=True))
    with pytest.raises(LoadError, match="sets attention_bias"):
        architecture_of(with_config(LLAMA, attention_bias=True))


def test_rope_theta_is_found_where_newer_files_keep_it() -> None:
    nested = {"rope_theta": 5e5, "rope_type": "default"}
    found = architecture_of(with_config(SHAPE, rope_theta=None, rope_parameters=nested))
    assert found == dataclasses.replace(SHAPE, rope_theta=5e5)


def test_a_head_dim_of_its_own_is_kept() -> None:
    assert architecture_of(RandomModel(LLAMA)).head_dim == 32
    assert LLAMA.query_size == 128
    assert LLAMA.kv_size == 64


def test_a_tensor_that_nobody_reads_is_refused_by_name() -> None:
    model = RandomModel(SHAPE)
    extra = from_values("model.layers.0.self_attn.q_norm.weight", (16,), lambda: np.ones(16, "f4"), "F32")
    with pytest.raises(LoadError, match=r"self_attn.q_norm.weight, which qwen2 does not compute with"):
        check_tensors(SHAPE, Overlay(model, add={extra.info.name: extra}))


def test_frequencies_that_older_files_carry_are_passed_over() -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    extra = from_values(name, (8,), lambda: np.ones(8, "f4"), "F32")
    check_tensors(SHAPE, Overlay(RandomModel(SHAPE), add={name: extra}))


def test_parameters_are_those_of_the_tensors() -> None:
    counted = sum(RandomModel(SHAPE).tensor(name).size for name in RandomModel(SHAPE).names())
    assert SHAPE.parameters == counted
    untied = dataclasses.replace(SHAPE, tied=False)
    assert untied.parameters - SHAPE.parameters == 50 * 64
    assert dict(tensor_shapes(untied))["lm_head.weight"] == (50, 64)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rope.dimension_count", 16),
        ("rope.scaling.factor", 4.0),
        ("attention.sliding_window", 4096),
        ("attention.scale", 0.5),
    ],
)
def test_keys_of_gguf_that_ask_for_another_computation_are_refused(
    tmp_path: Path, key: str, value: object
) -> None:
    source = RandomModel(LLAMA).save(tmp_path)
    export(source, str(tmp_path / "model.gguf"), "gguf", folder=tmp_path)
    model = open_checkpoint(str(tmp_path / "model.gguf"))
    assert architecture_of(model).head_dim == 32
    other = Overlay(model, metadata={**model.metadata, f"llama.{key}": value})
    with pytest.raises(LoadError, match=f"llama.{key} is {value}"):
        architecture_of(other)
