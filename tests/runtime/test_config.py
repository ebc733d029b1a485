from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pv_runtime.config import apr_config, config_of, expected_tensors, fits_float32, gguf_config
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values


def with_config(model_folder: Path, target: Path, **changes: object) -> Checkpoint:
    shutil.copytree(model_folder, target)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**config, **changes}))
    return open_checkpoint(target)


def made(path: Path, metadata: Mapping[str, object], form: str) -> Checkpoint:
    tensor = from_values(
        "model.embed_tokens.weight", (96, 256), lambda: np.zeros((96, 256), np.float32), "F16"
    )
    write = write_gguf if form == "gguf" else write_apr
    write(str(path), [(tensor.info, tensor.raw)], metadata)
    return open_checkpoint(path)


def test_the_config_goes_through_gguf_and_apr_whole(model_folder: Path, tmp_path: Path) -> None:
    config = config_of(open_checkpoint(model_folder))
    assert config["hidden_size"] == 256
    assert config_of(made(tmp_path / "x.gguf", gguf_config(config), "gguf")) == config
    assert config_of(made(tmp_path / "x.apr", apr_config(config), "apr")) == config


def test_a_config_is_made_of_the_keys_of_a_foreign_file(model_folder: Path, tmp_path: Path) -> None:
    config = config_of(open_checkpoint(model_folder))
    keys = {key: value for key, value in gguf_config(config).items() if key != "pv.config"}
    assert config_of(made(tmp_path / "x.gguf", keys, "gguf")) == config
    foreign: dict[str, object] = {
        "architecture": "qwen2", "n_embd": 256, "num_hidden_layers": 2, "n_head": 4, "n_kv_heads": 2,
        "ffn_dim": 512, "n_ctx": 512, "norm_eps": 1e-6, "rope_theta": 1e6,
    }  # fmt: skip
    assert config_of(made(tmp_path / "x.apr", foreign, "apr")) == config
    assert (
        config_of(made(tmp_path / "y.apr", {**foreign, "architecture": "Qwen2ForCausalLM"}, "apr")) == config
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gemma"}, "architecture 'gemma'"),
        ({"model_type": None}, "architecture None"),
        ({"model_type": ["qwen2"]}, r"architecture \['qwen2'\]"),
        ({"rope_scaling": {"type": ["yarn"]}}, "yarn"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"hidden_size": "256"}, "hidden_size is '256'"),
        ({"hidden_size": True}, "hidden_size is True"),
        ({"num_hidden_layers": 2**40}, "num_hidden_layers is"),
        ({"num_key_value_heads": 0}, "num_key_value_heads is 0"),
        ({"num_key_value_heads": 3}, "4 query heads, no multiple of its 3"),
        ({"rope_theta": None}, "rope_theta is None"),
        ({"rms_norm_eps": -1.0}, "rms_norm_eps is"),
        ({"rope_theta": 1e300}, "rope_theta is"),
        ({"head_dim": "64"}, "head_dim is '64'"),
        ({"head_dim": 0}, "head_dim is 0"),
        ({"architectures": []}, r"architectures are \[\]"),
        ({"architectures": "Qwen2ForCausalLM"}, "architectures are 'Qwen2ForCausalLM'"),
        ({"tie_word_embeddings": "false"}, "tie_word_embeddings is 'false'"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "yarn"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "llama3"),
    ],
)
def test_what_cannot_be_mapped_is_refused_by_name(
    model_folder: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(LoadError, match=message):
        config_of(with_config(model_folder, tmp_path / "m", **changes))


@pytest.mark.parametrize("key", ["vocab_size", "num_kv_heads", "num_layers"])
def test_a_zero_is_not_taken_for_what_is_not_said(model_folder: Path, tmp_path: Path, key: str) -> None:
    stated = {**apr_config(config_of(open_checkpoint(model_folder)))}
    stated.pop("config")
    assert key in stated
    with pytest.raises(LoadError, match="is 0, which no model of its kind can have"):
        config_of(made(tmp_path / "x.apr", {**stated, key: 0}, "apr"))


def test_newer_configs_keep_theta_elsewhere(model_folder: Path, tmp_path: Path) -> None:
    nested = {"rope_theta": None, "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}
    config = config_of(with_config(model_folder, tmp_path / "m", **nested))
    assert gguf_config(config)["qwen2.rope.freq_base"] == 5e5
    assert apr_config(config)["rope_theta"] == 5e5
    assert config_of(made(tmp_path / "x.gguf", gguf_config(config), "gguf")) == config


def test_a_file_that_contradicts_itself_is_refused(model_folder: Path, tmp_path: Path) -> None:
    config = config_of(open_checkpoint(model_folder))
    keys = {**gguf_config(config), "qwen2.block_count": 3}
    with pytest.raises(LoadError, match="num_hidden_layers is 3, and in the config it carries 2"):
        config_of(made(tmp_path / "x.gguf", keys, "gguf"))


def test_a_file_alone_has_no_config(model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="does not say which architecture"):
        config_of(open_checkpoint(model_folder / "model.safetensors"))
    with pytest.raises(LoadError, match="no JSON"):
        config_of(made(tmp_path / "x.gguf", {"general.architecture": "qwen2", "pv.config": "{"}, "gguf"))
    with pytest.raises(LoadError, match="architecture None"):
        config_of(made(tmp_path / "y.gguf", {}, "gguf"))


def test_the_tensors_of_a_model_are_known(model_folder: Path) -> None:
    model = open_checkpoint(model_folder)
    config = config_of(model)
    assert sorted(expected_tensors(config)) == sorted(model.names())
    untied = set(expected_tensors({**config, "tie_word_embeddings": False}))
    assert untied - set(model.names()) == {"lm_head.weight"}
    llama = set(expected_tensors({**config, "model_type": "llama"}))
    assert {name.split(".")[-1] for name in set(model.names()) - llama} == {"bias"}


def test_what_a_float32_holds() -> None:
    assert fits_float32(0.5)
    assert not fits_float32(0.1)
    assert not fits_float32(1e300)
