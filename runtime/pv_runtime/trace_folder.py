"""A trace in a folder: one file a stage, and ``trace.json`` with what they were made on.

Files are ``layer-3/ffn_out.bin`` and ``embedding.bin`` in APRT, or the same in NumPy's ``.npy``, which is
how traces of other programs are brought in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from pv_runtime.aprt import read_aprt
from pv_runtime.errors import LoadError
from pv_runtime.formats.file_bytes import open_bytes
from pv_runtime.formats.strict_json import parse_object
from pv_runtime.quant.scheme import Floats
from pv_runtime.saved_trace import Kept, SavedTrace, saved_trace
from pv_runtime.stage_names import parsed_name
from pv_runtime.trace_origin import origin_from

__all__ = ["ORIGIN", "is_folder", "known_files", "open_folder", "stage_files", "stated_in"]

ORIGIN = "trace.json"
_MAX_JSON = 1 << 26
_SUFFIXES = (".bin", ".npy")


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder of stages."""
    if not path.is_dir():
        return False
    return (path / ORIGIN).is_file() or any(True for _ in known_files(path))


def open_folder(folder: Path) -> SavedTrace:
    """Open a folder of APRT or ``.npy`` files.

    Raises
    ------
    LoadError
        There is no ``trace.json``, a file is broken, or its header names another layer than its folder.
    """
    if not (folder / ORIGIN).is_file():
        raise LoadError(
            f"has no {ORIGIN}, so that nobody knows on which tokens it was made",
            folder,
            'write one: {"tokens": [1, 2, 3], "dtype": "float32"}',
        )
    origin = origin_from(stated_in(folder / ORIGIN), str(folder / ORIGIN))
    kept = []
    for file in stage_files(folder):
        name = _name(folder, file)
        values = _aprt(file, name) if file.suffix == ".bin" else _npy(file)
        kept.append(Kept(name, values.shape, lambda values=values: values))  # type: ignore[misc]
    return saved_trace(str(folder), origin, kept)


def known_files(folder: Path) -> Iterator[Path]:
    """Yield those files of a folder whose names are stages: a model's may have a pytorch_model.bin."""
    yield from (file for file in stage_files(folder) if parsed_name(_name(folder, file)))


def stated_in(path: Path) -> Mapping[str, object]:
    """Read a ``trace.json``."""
    source = open_bytes(path)
    if source.size > _MAX_JSON:
        raise LoadError(f"exceeds {_MAX_JSON} bytes", path)
    return parse_object(source.read(0, source.size).tobytes().strip(), path)


def stage_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that hold stages, in the order of their names."""
    for place in (folder, *sorted(folder.glob("layer-*/"))):
        yield from sorted(file for file in place.iterdir() if file.suffix in _SUFFIXES)


def _name(folder: Path, file: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def _aprt(file: Path, name: str) -> Floats:
    layer, values = read_aprt(open_bytes(file))
    key = parsed_name(name)
    if key is not None and key[1] != layer:
        said = "the whole model" if layer is None else f"layer {layer}"
        raise LoadError(f"its header says {said}, its place {name}", file)
    return values


def _npy(file: Path) -> Floats:
    if not file.is_file():
        raise LoadError("is no regular file", file)
    try:
        found = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # its header is a Python literal, and NumPy lets every error of that out
        raise LoadError(f"cannot be read as .npy: {error}", file) from error
    if not isinstance(found, np.ndarray) or found.dtype.kind != "f" or found.dtype.itemsize > 8:
        raise LoadError("holds no floats of 16, 32 or 64 bits", file)
    if not math.prod(found.shape):
        raise LoadError("holds no values", file)
    # A view where it is float32 already; float64 is rounded, and an overflow becomes an infinity.
    with np.errstate(over="ignore"):
        values: Floats = np.asarray(found).astype("<f4", order="C", copy=False)
    return values
