from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pv_runtime.architecture import architecture_of, check_tensors
from pv_runtime.errors import LoadError
from pv_runtime.presets import PRESETS
from pv_runtime.random_model import RandomModel

SMALL = dataclasses.replace(
    PRESETS["qwen2.5-7b"], hidden_size=64, intermediate_size=96, layers=1, heads=4, kv_heads=2, head_dim=16,
    vocab_size=50,
)  # fmt: skip


def test_the_same_seed_is_the_same_model_and_another_is_another() -> None:
    first, again, other = RandomModel(SMALL, 1), RandomModel(SMALL, 1), RandomModel(SMALL, 2)
    for name in first.names():
        assert np.array_equal(first.raw(name), again.raw(name))
        assert not np.array_equal(first.raw(name), other.raw(name))


@pytest.mark.parametrize("dtype", ["F32", "F16"])
def test_it_has_every_tensor_of_its_architecture(dtype: str) -> None:
    model = RandomModel(SMALL, dtype=dtype)
    check_tensors(SMALL, model)
    for name in model.names():
        values, info = model.tensor(name), model.info(name)
        assert values.shape == info.shape
        assert model.raw(name).nbytes == info.nbytes
        assert np.isfinite(values).all()
    assert set(model.matrices()) == {name for name in model.names() if model.tensor(name).ndim == 2}


def test_biases_and_norms_are_no_constants() -> None:
    model = RandomModel(SMALL)
    for name in ("model.norm.weight", "model.layers.0.self_attn.q_proj.bias"):
        assert model.tensor(name).std() > 0.05


def test_there_are_no_other_tensors() -> None:
    with pytest.raises(LoadError, match="there is no tensor lm_tail"):
        RandomModel(SMALL).raw("lm_tail")


def test_saved_it_is_the_same_model(tmp_path: Path) -> None:
    model = RandomModel(SMALL, 4, "F16")
    saved = model.save(tmp_path)
    assert architecture_of(saved) == SMALL
    assert set(saved.names()) == set(model.names())
    assert all(np.array_equal(saved.raw(name), model.raw(name)) for name in model.names())
