from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pv_runtime import build
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, TensorInfo, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.quant.scheme import Floats
from pv_runtime.weight_statistics import WeightStatistics, weight_statistics


def written(path: Path, values: Floats) -> Checkpoint:
    tensor = from_values("w", values.shape, lambda: values, "F32")
    write_safetensors(str(path), [(tensor.info, tensor.raw)])
    return open_checkpoint(path)


@given(
    values=arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32)),
    chunk=st.integers(1, 50),
)
def test_figures_are_those_of_numpy_whatever_the_chunks(
    tmp_path_factory: pytest.TempPathFactory, values: Floats, chunk: int
) -> None:
    model = written(tmp_path_factory.getbasetemp() / "statistics", values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pv_runtime.weight_statistics._CHUNK", chunk)
        found = weight_statistics(model, "w")
    finite = values[np.isfinite(values)].astype(np.float64)
    assert found.zeros == np.count_nonzero(values == 0)
    assert (found.nan, found.infinite) == (np.isnan(values).sum(), np.isinf(values).sum())
    if not finite.size:
        assert (found.minimum, found.maximum, found.mean, found.std) == (None, None, None, None)
        return
    assert found.minimum is not None
    assert found.mean is not None
    scale = float(np.abs(finite).max())
    assert (found.minimum, found.maximum) == (finite.min(), finite.max())
    assert math.isclose(found.mean, finite.mean(), rel_tol=1e-12, abs_tol=1e-12 * scale)
    assert found.std == pytest.approx(finite.std(), rel=1e-9, abs=1e-9 * scale)


def test_a_spread_beside_a_large_mean_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Σx² - (Σx)²/n would see nothing of it in float32, and little in float64."""
    monkeypatch.setattr("pv_runtime.weight_statistics._CHUNK", 64)
    values = np.float32(2**23) + np.arange(1000, dtype=np.float32) % 2
    assert weight_statistics(written(tmp_path / "x", values), "w").std == pytest.approx(0.5, rel=1e-12)


def test_block_formats_are_read_in_whole_blocks(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.quantised_gguf(str(model_folder), str(tmp_path / "q.gguf"), scheme="q4_k")
    model = open_checkpoint(tmp_path / "q.gguf")
    whole = {name: weight_statistics(model, name) for name in model.names()}
    monkeypatch.setattr("pv_runtime.weight_statistics._CHUNK", 768)
    for name in model.matrices():
        assert model.info(name).dtype == "Q4_K"
        values = model.tensor(name)
        found = weight_statistics(model, name)
        assert (found.minimum, found.maximum) == (values.min(), values.max())
        assert found.std == pytest.approx(whole[name].std, rel=1e-12)


def test_nothing_and_what_is_not_decoded(tmp_path: Path) -> None:
    empty = written(tmp_path / "x", np.zeros((0, 3), np.float32))
    assert weight_statistics(empty, "w") == WeightStatistics(None, None, None, None, 0, 0, 0)
    (tmp_path / "x").write_bytes(
        b"\x40\0\0\0\0\0\0\0"
        + b'{"w":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}'.ljust(64)
        + b"ab"
    )
    with pytest.raises(LoadError, match="F8_E4M3, which is not decoded"):
        weight_statistics(open_checkpoint(tmp_path / "x"), "w")


def test_values_that_no_float32_holds_cost_no_warning(tmp_path: Path) -> None:
    """A signalling NaN and 1e300 in float64; warnings are errors here."""
    bits = np.array([0x7FF0000000000001, 0x7E37E43C8800759C, 0], np.uint64)
    info = TensorInfo("w", "F64", (3,), 24)
    write_safetensors(str(tmp_path / "x"), [(info, lambda: bits.view(np.uint8))])
    found = weight_statistics(open_checkpoint(tmp_path / "x"), "w")
    assert (found.nan, found.infinite, found.zeros) == (1, 1, 1)
