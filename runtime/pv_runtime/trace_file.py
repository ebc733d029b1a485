"""A trace in one safetensors file, or in a folder: told by what is there."""

from __future__ import annotations

from pathlib import Path

from pv_runtime.errors import LoadError
from pv_runtime.formats.file_bytes import open_bytes
from pv_runtime.formats.safetensors import read_safetensors
from pv_runtime.formats.table import TableCheckpoint
from pv_runtime.quant.scheme import Floats
from pv_runtime.saved_trace import Kept, SavedTrace, saved_trace
from pv_runtime.stage_names import parsed_name
from pv_runtime.trace_folder import ORIGIN, is_folder, open_folder, stated_in
from pv_runtime.trace_origin import FORMAT, origin_from

__all__ = ["SAVED", "is_trace", "open_trace"]

SAVED = "trace.safetensors"
"""The file that stands for a folder which has it."""

_DTYPES = ("F32", "BF16", "F16")


def is_trace(path: str) -> bool:
    """Whether there is a trace at `path`, in any of the layouts; a single APRT file is none."""
    folder = Path(path)
    if folder.is_dir():
        return (folder / SAVED).is_file() or is_folder(folder)
    try:
        model = read_safetensors(open_bytes(path))
    except LoadError:
        return False
    if model.metadata.get("format") == FORMAT:
        return True
    # Of another program; a model beside a trace.json has no tensor that is named like a stage.
    return folder.with_name(ORIGIN).is_file() and any(map(parsed_name, model.names()))


def open_trace(path: str) -> SavedTrace:
    """Open a trace: headers and names are checked, values are read when they are asked for.

    A safetensors file of another program, which says nothing of tokens, needs a ``trace.json`` beside it.

    Raises
    ------
    LoadError
        There is no trace, it does not say on which tokens it was made, a stage is not known, or the
        values of a stage do not make whole rows.
    """
    folder = Path(path)
    if folder.is_dir():
        return open_trace(str(folder / SAVED)) if (folder / SAVED).is_file() else open_folder(folder)
    model = read_safetensors(open_bytes(path))
    stated = model.metadata
    if stated.get("format") != FORMAT:
        beside = Path(path).with_name(ORIGIN)
        if not beside.is_file():
            raise LoadError(
                "is no trace, or one that does not say on which tokens it was made",
                path,
                f'write a {ORIGIN} beside it: {{"tokens": [1, 2, 3], "dtype": "float32"}}',
            )
        stated = stated_in(beside)
    return saved_trace(path, origin_from(stated, path), [_kept(model, name) for name in model.names()])


def _kept(model: TableCheckpoint, name: str) -> Kept:
    info = model.info(name)
    if info.dtype not in _DTYPES:
        raise LoadError(f"{name} is {info.dtype}; a trace holds {', '.join(_DTYPES)}", model.path)

    def read() -> Floats:
        if info.dtype != "F32":
            return model.tensor(name)
        values: Floats = model.raw(name).view("<f4")
        return values

    return Kept(name, info.shape, read)
