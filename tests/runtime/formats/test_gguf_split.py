from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.joined import JoinedCheckpoint

PART = "model-{:05}-of-00003.gguf"


def part(path: Path, number: int, tensors: dict[str, float], total: int = 5, **keys: Any) -> None:
    """Write what gguf-split writes: the model's keys in the first part, the split's in every one."""
    writer = gguf.GGUFWriter(path, keys.pop("architecture", "qwen2"))
    for key, kind in (("count", "uint16"), ("no", "uint16")):
        default = {"count": 3, "no": number}[key]
        getattr(writer, f"add_{kind}")(f"split.{key}", keys.get(key, default))
    writer.add_int32("split.tensors.count", total)
    if number == 0:
        writer.add_block_count(2)
    for name, value in tensors.items():
        writer.add_tensor(name, np.full((2, 3), value, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    part(tmp_path / PART.format(1), 0, {"token_embd.weight": 1, "a": 2})
    part(tmp_path / PART.format(2), 1, {"b": 3, "c": 4})
    part(tmp_path / PART.format(3), 2, {"output.weight": 5})
    return tmp_path


def test_the_parts_are_one_checkpoint(folder: Path) -> None:
    model = open_checkpoint(folder / PART.format(1))
    assert model.names() == ("model.embed_tokens.weight", "a", "b", "c", "lm_head.weight")
    assert [float(model.tensor(name)[0, 0]) for name in model.names()] == [1, 2, 3, 4, 5]
    assert model.matrices() == model.names()
    assert model.info("b").shape == (2, 3)
    assert model.raw("c").nbytes == 24
    assert (model.format, model.metadata["qwen2.block_count"]) == ("gguf", 2)
    assert isinstance(model, JoinedCheckpoint)
    assert model.files == tuple(str(folder / PART.format(number)) for number in (1, 2, 3))
    assert open_checkpoint(folder).path == model.path
    with pytest.raises(LoadError, match="no tensor nothing"):
        model.tensor("nothing")


def test_what_the_package_splits_we_join(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "qwen2", split_max_tensors=2)
    for index in range(5):
        writer.add_tensor(f"t{index}", np.full((2, 2), index, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model = open_checkpoint(tmp_path)
    assert {name: float(model.tensor(name)[0, 0]) for name in model.names()} == {
        f"t{index}": index for index in range(5)
    }


def test_a_part_that_is_missing_or_not_the_first_is_named(folder: Path) -> None:
    with pytest.raises(LoadError, match=r"is part 2 of 3\n.*00001-of-00003"):
        open_checkpoint(folder / PART.format(2))
    (folder / PART.format(2)).unlink()
    with pytest.raises(LoadError, match="part 2 of 3 is missing: model-00002-of-00003"):
        open_checkpoint(folder)
    (folder / PART.format(1)).rename(folder / "model.gguf")
    with pytest.raises(LoadError, match="not named as one"):
        open_checkpoint(folder / "model.gguf")


def test_parts_that_belong_to_something_else_are_named(folder: Path) -> None:
    second = folder / PART.format(2)
    for arguments, message in [
        ({"number": 2, "tensors": {"b": 3}}, "named as part 2, split.no is 2"),
        ({"number": 1, "tensors": {"b": 3}, "count": 4}, "split.count is 4"),
        ({"number": 1, "tensors": {"b": 3}, "total": 6}, "split.tensors.count is 6"),
        ({"number": 1, "tensors": {"b": 3}, "architecture": "llama"}, "general.architecture is 'llama'"),
        ({"number": 1, "tensors": {"b": 3}}, "hold 4 tensors, split.tensors.count is 5"),
        ({"number": 1, "tensors": {"a": 3, "c": 4}}, "the tensor a is in"),
    ]:
        part(second, **arguments)  # type: ignore[arg-type]
        with pytest.raises(LoadError, match=message):
            open_checkpoint(folder)
    second.write_bytes((folder / PART.format(1)).read_bytes())
    with pytest.raises(LoadError, match=r"named as part 2, split\.no is 0"):
        open_checkpoint(folder)
    writer = gguf.GGUFWriter(second, "qwen2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(LoadError, match=r"no split\.count"):
        open_checkpoint(folder)
    second.write_bytes(b"\x80\x04pickle")
    with pytest.raises(LoadError, match=r"00002-of-00003.*does not begin with GGUF"):
        open_checkpoint(folder)


@pytest.mark.parametrize("count", [0, 65535])
def test_a_count_that_no_name_bears_out_is_an_error(tmp_path: Path, count: int) -> None:
    part(tmp_path / "model.gguf", 0, {"a": 1}, count=count)
    with pytest.raises(LoadError, match="not named as one"):
        open_checkpoint(tmp_path / "model.gguf")


def test_two_files_in_a_folder_are_not_chosen_between(folder: Path) -> None:
    part(folder / "other.gguf", 0, {"a": 1}, count=1)
    with pytest.raises(LoadError, match=r"model-00001-of-00003\.gguf, other\.gguf"):
        open_checkpoint(folder)
