from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.foreign import foreign_format

ran: list[str] = []


class Bomb:
    """What an attacker puts into a pickle: code that runs as soon as it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return ran.append, ("ran",)


STATE = {"w": [1.0, 2.0], "names": ("a", "b")}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", [STATE, OrderedDict(a=1), Bomb()], ids=["dict", "ordered", "bomb"])
def test_a_pickle_of_every_protocol_is_refused_by_name_and_not_run(
    tmp_path: Path, protocol: int, value: object
) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(value, protocol))
    with pytest.raises(LoadError, match="is a pickle"):
        open_checkpoint(tmp_path / "pytorch_model.bin")
    assert ran == []


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saves_is_refused_by_name(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "model.safetensors"  # the name does not help
    torch.save({"w": torch.zeros(64)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(LoadError, match=r"is a zip archive \(torch\.save" if zipped else "is a pickle"):
        open_checkpoint(path)


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", w=np.zeros(4))
    np.save(tmp_path / "x.npy", np.zeros(4))
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    for name, data in {
        "gz": gzip.compress(bytes(100)),
        "bz2": bz2.compress(bytes(100)),
        "xz": lzma.compress(bytes(100)),
        "tar": bytes(257) + b"ustar" + bytes(300),
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "page": b"<!DOCTYPE html><html></html>",
        "ggjt": b"tjgg" + bytes(100),
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    }.items():
        (tmp_path / name).write_bytes(data)
    expected = {
        "x.npz": "zip archive", "x.npy": "NumPy array", "empty.zip": "empty zip", "gz": "gzip",
        "bz2": "bzip2", "xz": "xz", "tar": "tar archive", "lfs": "Git LFS pointer", "page": "web page",
        "ggjt": "before GGUF", "hdf5": "HDF5",
    }  # fmt: skip
    for name, message in expected.items():
        with pytest.raises(LoadError, match=message):
            open_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    "head", [b"", b"\0" * 100, b"hello, this is a text. It ends.", b"GGUF", b"\x80", b".", b"P+\\u0000\n"]
)
def test_what_is_none_of_them_is_called_none_of_them(head: bytes) -> None:
    assert foreign_format(head) is None
