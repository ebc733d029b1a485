from __future__ import annotations

import dataclasses

import pytest
from pv_runtime.architecture import architecture_of, tensor_shapes
from pv_runtime.presets import PRESETS, config_json
from pv_runtime.random_model import RandomModel

PUBLISHED = {  # parameters, tensors, query heads a key head
    "qwen2.5-0.5b": (494_032_768, 290, 7),
    "qwen2.5-1.5b": (1_543_714_304, 338, 6),
    "qwen2.5-7b": (7_615_616_512, 339, 7),
    "llama-370m": (322_045_952, 218, 4),
    "tinyllama-1.1b": (1_100_048_384, 201, 8),
}


def test_parameters_and_tensors_are_as_published() -> None:
    counted = {
        name: (a.parameters, sum(1 for _ in tensor_shapes(a)), a.heads // a.kv_heads)
        for name, a in PRESETS.items()
    }
    assert counted == PUBLISHED


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_made_of_a_preset_is_read_back(name: str) -> None:
    assert architecture_of(RandomModel(PRESETS[name])) == PRESETS[name]


def test_head_dim_is_written_where_it_does_not_follow() -> None:
    wide = dataclasses.replace(PRESETS["qwen2.5-0.5b"], head_dim=128)
    assert config_json(wide)["head_dim"] == 128
    assert architecture_of(RandomModel(wide)) == wide
    assert "head_dim" not in config_json(PRESETS["qwen2.5-0.5b"])


QWEN2 = {"vocab_size": 151936, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "hidden_act": "silu"}
CONFIGS = {  # what the authors' config.json say
    "qwen2.5-0.5b": QWEN2 | {
        "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
        "num_key_value_heads": 2, "tie_word_embeddings": True,
    },
    "qwen2.5-1.5b": QWEN2 | {
        "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12,
        "num_key_value_heads": 2, "tie_word_embeddings": True,
    },
    "qwen2.5-7b": QWEN2 | {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "tie_word_embeddings": False, "vocab_size": 152064,
    },
    "tinyllama-1.1b": {
        "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
        "num_key_value_heads": 4, "vocab_size": 32000, "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": False,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_presets_equal_the_published_configs_field_for_field(name: str) -> None:
    config = config_json(PRESETS[name])
    assert {key: config[key] for key in CONFIGS[name]} == CONFIGS[name]
    assert config["rope_theta"] == (1e4 if name.startswith("tinyllama") else 1e6)


@pytest.mark.oracle
@pytest.mark.parametrize("name", PRESETS)
def test_transformers_builds_the_same_tensors_of_each_preset(name: str) -> None:
    """On the meta device: shapes without values."""
    import torch
    import transformers

    a = PRESETS[name]
    config = transformers.AutoConfig.for_model(**config_json(a))
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    theirs = {name: tuple(values.shape) for name, values in model.named_parameters()}
    assert theirs == dict(tensor_shapes(a))
    assert config.rope_parameters["rope_theta"] == a.rope_theta
    assert config.rms_norm_eps == a.rms_norm_eps
