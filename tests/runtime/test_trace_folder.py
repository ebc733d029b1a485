from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pv_runtime.aprt import write_aprt
from pv_runtime.errors import LoadError
from pv_runtime.trace_folder import is_folder, open_folder

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trace.json").write_text(json.dumps({"tokens": [5, 6, 7], "dtype": "float32"}))
    (tmp_path / "layer-1").mkdir()
    return tmp_path


def test_files_of_both_kinds_are_read(folder: Path) -> None:
    write_aprt(folder / "layer-1/ffn_swigl.bin", 1, VALUES)
    np.save(folder / "layer-1/ffn_out.npy", VALUES[None] * 2)
    np.save(folder / "lm_head.npy", (VALUES * 3).astype(np.float16))
    (folder / "layer-1/readme.txt").write_text("not a stage")
    found = open_folder(folder)
    assert found.tokens == (5, 6, 7)
    assert found.stages() == (("ffn_swiglu", 1), ("ffn_out", 1), ("lm_head", None))
    for factor, key in ((1, ("ffn_swiglu", 1)), (2, ("ffn_out", 1)), (3, ("lm_head", None))):
        np.testing.assert_array_equal(found.values(*key), VALUES * factor)


def test_a_fortran_array_and_float64_are_understood(folder: Path) -> None:
    np.save(folder / "embedding.npy", np.asfortranarray(VALUES.astype(np.float64)))
    found = open_folder(folder).values("embedding", None)
    np.testing.assert_array_equal(found, VALUES)
    assert found.dtype == np.float32


def test_both_names_of_one_stage_must_hold_one_thing(folder: Path) -> None:
    write_aprt(folder / "layer-1/layer_output.bin", 1, VALUES)
    write_aprt(folder / "layer-1/post_ffn_residual.bin", 1, VALUES)
    assert open_folder(folder).stages() == (("layer_output", 1),)
    write_aprt(folder / "layer-1/post_ffn_residual.bin", 1, VALUES + 1)
    with pytest.raises(LoadError, match="kept twice and differently"):
        open_folder(folder)
    (folder / "layer-1/post_ffn_residual.bin").unlink()
    np.save(folder / "layer-1/layer_output.npy", VALUES)
    with pytest.raises(LoadError, match="kept twice"):
        open_folder(folder)


def refused(folder: Path, why: str) -> None:
    with pytest.raises(LoadError, match=why) as error:
        open_folder(folder)
    assert str(folder) in str(error.value)


def test_stages_that_contradict_their_place_are_refused(folder: Path) -> None:
    write_aprt(folder / "layer-1/ffn_out.bin", 2, VALUES)
    refused(folder, "header says layer 2, its place layer-1/ffn_out")
    write_aprt(folder / "layer-1/ffn_out.bin", None, VALUES)
    refused(folder, "header says the whole model")


@pytest.mark.parametrize("name", ["layer-1/fn_out.bin", "ffn_out.bin", "layer-1/embedding.bin"])
def test_names_that_are_no_stages_are_refused(folder: Path, name: str) -> None:
    write_aprt(folder / name, 1 if "/" in name else None, VALUES)
    refused(folder, "is no stage")


@pytest.mark.parametrize(
    "values", [VALUES.ravel()[:11], np.zeros((4, 3)), np.zeros((2, 3, 4)), np.zeros((3, 2, 2))]
)
def test_values_that_are_no_row_for_each_token_are_refused(folder: Path, values: NDArray[np.float64]) -> None:
    np.save(folder / "embedding.npy", values)
    refused(folder, "not a row for each of 3 positions")


def test_arrays_that_are_no_floats_are_refused(folder: Path) -> None:
    path = folder / "embedding.npy"
    for values in (np.zeros((3, 4), np.int32), np.zeros((3, 0)), np.zeros((3, 4), np.longdouble)):
        np.save(path, values)
        refused(folder, "holds no")
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    refused(folder, r"cannot be read as \.npy")
    np.save(path, VALUES)
    whole = path.read_bytes()
    for cut in (0, 4, 60, len(whole) - 1):
        path.write_bytes(whole[:cut])
        refused(folder, r"cannot be read as \.npy")
    path.unlink()
    os.mkfifo(path)
    refused(folder, "no regular file")


def test_without_what_it_was_made_on_there_is_no_trace(folder: Path) -> None:
    refused(folder, "without a stage")
    np.save(folder / "embedding.npy", VALUES)
    assert is_folder(folder)
    for text, why in (
        ("{}", "on which tokens"),
        ('{"tokens": []}', "no tokens"),
        ('{"tokens": [1, 2, 3], "tokens": [1, 2, 4]}', "twice"),
        ('{"tokens": [1, 2, "3"]}', "no number"),
        ('{"tokens": [1, 2, true]}', "no number"),
        ('{"tokens": [1, 2, -3]}', "no number"),
        ('{"tokens": 3}', "no list"),
        ('{"tokens": "[1, 2"}', "parsed"),
        ('{"tokens": [1, 2, 3], "positions": [2, 1]}', "do not rise"),
        ('{"tokens": [1, 2, 3], "positions": [3]}', "do not rise"),
        ('{"tokens": [1, 2, 3], "dtype": "int8"}', "int8"),
        ('{"tokens": [1, 2, 3], "model": 3}', "no text"),
        ('{"tokens": [1, 2, 3], "version": 2}', "version"),
        ("[1]", "begin"),
    ):
        (folder / "trace.json").write_text(text)
        refused(folder, why)
    (folder / "trace.json").unlink()
    refused(folder, "nobody knows")


def test_a_trace_of_some_positions_has_rows_for_them(folder: Path) -> None:
    np.save(folder / "embedding.npy", VALUES[2:])
    (folder / "trace.json").write_text('{"tokens": [1, 2, 3], "positions": [2]}')
    found = open_folder(folder)
    assert found.origin.positions == (2,)
    np.testing.assert_array_equal(found.values("embedding", None), VALUES[2:])


def test_a_folder_of_other_things_is_no_trace(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK")
    assert not is_folder(tmp_path)
    assert not is_folder(tmp_path / "pytorch_model.bin")
    write_aprt(tmp_path / "embedding.bin", None, VALUES)
    assert is_folder(tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)",
        "'''",
        "-" * 5000 + "1",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 4), }",
    ],
)
def test_headers_over_which_numpy_falls_are_refused(folder: Path, header: str) -> None:
    file = folder / "embedding.npy"
    file.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(48))
    with pytest.raises(LoadError, match=r"cannot be read as \.npy"):
        open_folder(folder)


def test_a_trace_of_no_positions_is_refused(folder: Path) -> None:
    (folder / "trace.json").write_text('{"tokens": [5, 6, 7], "positions": []}')
    np.save(folder / "embedding.npy", VALUES)
    with pytest.raises(LoadError, match="no positions"):
        open_folder(folder)
