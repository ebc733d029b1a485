"""Keep values of stages as they are computed: in one safetensors file, or in a folder of APRT files."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pv_runtime.aprt import write_aprt
from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import TensorInfo
from pv_runtime.formats.safetensors import header_bytes
from pv_runtime.formats.whole_folder import flush_folder
from pv_runtime.formats.writing import writing
from pv_runtime.stage_names import StageKey, in_order, written_name
from pv_runtime.trace_file import SAVED
from pv_runtime.trace_folder import ORIGIN, known_files
from pv_runtime.trace_origin import TraceOrigin, origin_text

__all__ = ["Keep", "aprt_folder", "make_room", "safetensors_file"]

Keep = Callable[[str, int | None, Tensor], None]
"""Called as ``keep(stage, layer, values)``, floats ``[positions, features]``, as they are computed."""

_DTYPES = {torch.float32: ("F32", 4), torch.bfloat16: ("BF16", 2), torch.float16: ("F16", 2)}


@contextlib.contextmanager
def safetensors_file(
    path: str, origin: TraceOrigin, features: Mapping[StageKey, int], dtype: torch.dtype
) -> Iterator[Keep]:
    """Write a trace to `path`; the same trace gives the same bytes.

    What is kept is written at once, so that one stage is in memory at a time; the file takes its place when
    the block ends without an error.

    Parameters
    ----------
    path
        The file, replaced if it is there.
    origin
        What the trace is made on.
    features
        Every stage that will come, and how many values it has for each position.
    dtype
        Of the values.

    Raises
    ------
    ValueError
        What came is not what was announced.
    """
    name, size = _DTYPES[dtype]
    rows = len(origin.positions)
    infos = {
        key: TensorInfo(written_name(*key), name, (rows, features[key]), size * rows * features[key])
        for key in in_order(features)
    }
    header = header_bytes(infos.values(), origin_text(origin))
    ends = itertools.accumulate((info.nbytes for info in infos.values()), initial=len(header))
    missing = dict(zip(infos, ends, strict=False))
    with writing(path) as file:
        file.write(header)

        def keep(stage: str, layer: int | None, values: Tensor) -> None:
            if (stage, layer) not in missing:
                raise ValueError(f"{written_name(stage, layer)} was not announced, or came twice")
            info = infos[stage, layer]
            if values.dtype != dtype or tuple(values.shape) != info.shape:
                came = f"{values.dtype} {list(values.shape)}"
                raise ValueError(f"{info.name} is {came}, announced was {dtype} {list(info.shape)}")
            # To its place: implementations differ in the order of what does not depend on each other.
            file.seek(missing.pop((stage, layer)))
            # As bytes, because NumPy has no bfloat16.
            file.write(values.detach().cpu().contiguous().view(torch.uint8).numpy().data)

        yield keep
        if missing:
            raise ValueError(f"{written_name(*next(iter(missing)))} was announced and did not come")


@contextlib.contextmanager
def aprt_folder(folder: str, origin: TraceOrigin) -> Iterator[Keep]:
    """Write a trace to `folder`, which is made where it is not there; values are widened to float32.

    ``trace.json`` comes last: a folder without one was not finished.
    """
    root = Path(folder)
    root.mkdir(exist_ok=True)
    flush_folder(root.parent.absolute())
    (root / ORIGIN).unlink(missing_ok=True)
    flush_folder(
        root
    )  # were it there again after a loss of power, it would be taken for that of other stages

    def keep(stage: str, layer: int | None, values: Tensor) -> None:
        path = root / f"{written_name(stage, layer)}.bin"
        if not path.parent.is_dir():
            path.parent.mkdir()
            flush_folder(root)
        write_aprt(path, layer, np.asarray(values.detach().to("cpu", torch.float32).numpy()))

    yield keep
    with writing(root / ORIGIN) as file:
        file.write(json.dumps(origin_text(origin), indent=2).encode() + b"\n")


def make_room(folder: Path, *, force: bool) -> None:
    """Make `folder`, or with `force` take the trace out of it; other files stay.

    Raises
    ------
    LoadError
        It is no folder, there is none to make it in, or it is not empty and `force` is not given: stages
        of two traces in one folder would be taken for one.
    """
    if not folder.exists():
        if not folder.parent.is_dir():
            raise LoadError("cannot be made: the folder that it would lie in is not there", folder)
        folder.mkdir()
        return
    if not folder.is_dir():
        raise LoadError("is no folder", folder, "name a new folder")
    if not force and any(folder.iterdir()):
        raise LoadError("is not empty", folder, "name a new folder, or replace the trace in it with --force")
    # What says that the trace is whole goes first, for certain.
    (folder / ORIGIN).unlink(missing_ok=True)
    flush_folder(folder)
    for file in (folder / SAVED, *list(known_files(folder))):
        file.unlink(missing_ok=True)
