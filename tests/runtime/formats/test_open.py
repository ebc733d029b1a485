from __future__ import annotations

from pathlib import Path

import pytest
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_bytes, open_checkpoint, read_checkpoint


def test_the_format_is_told_by_the_bytes_and_not_by_the_name(model_folder: Path, tmp_path: Path) -> None:
    disguised = tmp_path / "model.gguf"
    disguised.write_bytes((model_folder / "model.safetensors").read_bytes())
    assert open_checkpoint(disguised).format == "safetensors"


def test_a_folder_is_its_file_and_its_config(model_folder: Path) -> None:
    folder, file = open_checkpoint(model_folder), open_checkpoint(model_folder / "model.safetensors")
    assert folder.path == file.path
    assert {key: value for key, value in folder.metadata.items() if key != "config"} == file.metadata
    assert "config" in folder.metadata
    assert folder.names() == file.names()


def test_a_missing_tensor_is_an_error_and_never_zeros(model_folder: Path) -> None:
    model = open_checkpoint(model_folder)
    for read in (model.info, model.raw, model.tensor):
        with pytest.raises(LoadError, match=r"no tensor lm_head\.weight"):
            read("lm_head.weight")


def test_matrices_are_the_tensors_of_two_dimensions(model_folder: Path) -> None:
    model = open_checkpoint(model_folder)
    assert len(model.matrices()) == 15
    assert all(model.tensor(name).ndim == 2 for name in model.matrices())


def test_a_header_can_be_read_from_edited_bytes(model_folder: Path) -> None:
    file = open_bytes(model_folder)
    prefix = int.from_bytes(file.read(0, 8).tobytes(), "little")
    text = file.read(8, prefix).tobytes().replace(b"model.norm.weight", b"model.xorm.weight")
    edited = file.with_head(file.read(0, 8).tobytes() + text, instead_of=8 + prefix)
    assert "model.xorm.weight" in read_checkpoint(edited).names()
