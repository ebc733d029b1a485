from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pv_runtime.errors import LoadError
from pv_runtime.formats.overlay import Overlay, from_values
from pv_runtime.qa.gate import DeclinedError, Settings
from pv_runtime.qa.structure import (
    capability_match,
    classifier_head,
    metadata_plausibility,
    tensor_contract,
)
from pv_runtime.qa.subject import Subject

SETTINGS = Settings()
UP = "model.layers.1.mlp.up_proj.weight"


def damaged(models: Path, name: str, values: np.ndarray) -> Subject:
    subject = Subject(str(models / "tiny-qwen2"))
    replaced = from_values(name, values.shape, lambda: values, "F32")
    subject.checkpoint = Overlay(subject.checkpoint, replace={name: replaced})
    return subject


def configured(models: Path, folder: Path, **changes: object) -> Subject:
    shutil.copytree(models / "tiny-qwen2", folder)
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))
    return Subject(str(folder))


@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-qwen2-7to1", "tiny-qwen2-q4_k"])
def test_the_shipped_models_pass(models: Path, name: str) -> None:
    subject = Subject(str(models / name))
    for gate in (capability_match, tensor_contract, metadata_plausibility):
        found = gate(subject, SETTINGS)
        assert found.passed, found.message
        assert (found.value, found.threshold) == (0, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: np.where(v == v.flat[7], np.nan, v), "NaN and 0 infinite"),
        (lambda v: np.where(v == v.max(), np.inf, v), "0 NaN and 1 infinite|infinite values"),
        (np.zeros_like, "is all zeros"),
        (lambda v: v * (np.arange(v.size).reshape(v.shape) % 5 == 0), "is 80% zeros"),
        (lambda v: np.full_like(v, 0.5), "has one value only"),
    ],
)
def test_a_matrix_without_content_fails(models: Path, change: object, message: str) -> None:
    values = Subject(str(models / "tiny-qwen2")).checkpoint.tensor(UP)
    assert callable(change)
    found = tensor_contract(damaged(models, UP, change(values).astype(np.float32)), SETTINGS)
    assert not found.passed
    assert UP in found.message
    assert any(part in found.message for part in message.split("|"))


def test_a_bias_of_zeros_and_a_norm_of_ones_are_how_models_begin(models: Path) -> None:
    bias, norm = "model.layers.0.self_attn.q_proj.bias", "model.layers.0.input_layernorm.weight"
    assert tensor_contract(damaged(models, bias, np.zeros(256, np.float32)), SETTINGS).passed
    assert tensor_contract(damaged(models, norm, np.ones(256, np.float32)), SETTINGS).passed
    assert not tensor_contract(damaged(models, norm, np.zeros(256, np.float32)), SETTINGS).passed


def test_a_missing_tensor_is_no_pass(models: Path) -> None:
    subject = Subject(str(models / "tiny-qwen2"))
    subject.checkpoint = Overlay(subject.checkpoint, drop=[UP])
    with pytest.raises(LoadError, match="lacks"):
        tensor_contract(subject, SETTINGS)


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"rope_theta": 1e5}, True),
        ({"rope_theta": 1e4}, False),
        ({"rope_theta": 99999.0}, False),
        ({"rms_norm_eps": 0.01}, True),
        ({"rms_norm_eps": 0.011}, False),
        ({"max_position_embeddings": 128}, True),
        ({"max_position_embeddings": 127}, False),
        ({"max_position_embeddings": 1_048_576}, True),
        ({"max_position_embeddings": 1_048_577}, False),
    ],
)
def test_numbers_that_no_model_has_fail(
    models: Path, tmp_path: Path, changes: dict[str, object], passes: bool
) -> None:
    found = metadata_plausibility(configured(models, tmp_path / "m", **changes), SETTINGS)
    assert found.passed is passes


def test_a_family_that_is_not_computed_here_is_no_pass(models: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="gemma3"):
        capability_match(configured(models, tmp_path / "m", model_type="gemma3"), SETTINGS)


def test_a_language_model_has_no_classifier(models: Path) -> None:
    with pytest.raises(DeclinedError, match="no classifier head"):
        classifier_head(Subject(str(models / "tiny-qwen2")), SETTINGS)
