from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_bytes

CONTENT = bytes(range(40))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bytes") / "file"
    path.write_bytes(CONTENT)
    return path


@given(data=st.data())
def test_edited_bytes_are_the_spliced_file(path: Path, data: st.DataObject) -> None:
    """Any chain of head replacements and cuts reads as the same edits on plain bytes."""
    file, model = open_bytes(path), CONTENT
    for _ in range(data.draw(st.integers(0, 4))):
        if data.draw(st.booleans()):
            head, instead = data.draw(st.binary(max_size=12)), data.draw(st.integers(0, len(model)))
            file, model = file.with_head(head, instead_of=instead), head + model[instead:]
        else:
            size = data.draw(st.integers(0, 50))
            file, model = file.cut(size), model[:size]
    assert file.size == len(model)
    start = data.draw(st.integers(0, len(model)))
    length = data.draw(st.integers(0, len(model) - start))
    assert file.read(start, length).tobytes() == model[start : start + length]
    with pytest.raises(LoadError, match="outside"):
        file.read(start, len(model) - start + 1)


def test_bytes_are_read_only(path: Path) -> None:
    for file in (open_bytes(path), open_bytes(path).with_head(b"head", instead_of=2)):
        with pytest.raises(ValueError, match="read-only"):
            file.read(0, 8)[0] = 1


def test_a_file_cut_while_open_is_an_error_and_no_signal(tmp_path: Path) -> None:
    path = tmp_path / "shrinks"
    path.write_bytes(bytes(1 << 16))
    file = open_bytes(path)
    os.truncate(path, 10)
    with pytest.raises(LoadError, match="truncated while it was open"):
        file.read(1 << 15, 16)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/zero")):
        with pytest.raises(LoadError, match="no regular file"):
            open_bytes(path)
    with pytest.raises(LoadError, match="No such file"):
        open_bytes(tmp_path / "nothing")
    with pytest.raises(LoadError, match="cannot be opened"):
        open_bytes("a\0b")


def test_an_empty_file_has_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert open_bytes(tmp_path / "empty").size == 0


def test_a_folder_must_hold_exactly_one_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="neither"):
        open_bytes(tmp_path)
    (tmp_path / "a.gguf").write_bytes(b"a")
    assert open_bytes(tmp_path).path == str(tmp_path / "a.gguf")
    (tmp_path / "model.safetensors").write_bytes(b"b")
    with pytest.raises(LoadError, match=r"a\.gguf, model\.safetensors"):
        open_bytes(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(LoadError, match=r"a\.gguf, model\.safetensors, model\.safetensors\.index\.json"):
        open_bytes(tmp_path)
