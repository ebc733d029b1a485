"""The ways to open a model file: none lets through what another refuses, and formats do not disagree."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pv.check import CheckError, Metric, Run, check
from pv_runtime.checks import damage
from pv_runtime.checks.weights import EMBEDDING, SPOTS, row_norms, zero_share
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, FileBytes, Overlay, open_bytes, read_checkpoint
from pv_runtime.formats.apr import read_apr
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.gguf import read_gguf
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import read_safetensors, write_safetensors
from pv_runtime.quant.scheme import Floats

__all__ = ["FORMATS", "Reader", "every_entry", "formats_agree", "written"]

Reader = Callable[[FileBytes], Checkpoint]
FORMATS: dict[str, Reader] = {"safetensors": read_safetensors, "gguf": read_gguf, "apr": read_apr}
"""The formats, and the reader of each."""


def written(model: Checkpoint, form: str, path: Path) -> FileBytes:
    """Write the embedding and the vectors of `model` as `form`, and open the bytes."""
    names = [name for name in model.names() if name == EMBEDDING or len(model.info(name).shape) == 1]
    tensors = [(model.info(name), lambda name=name: model.raw(name)) for name in names]
    if form == "safetensors":
        write_safetensors(str(path), tensors)
    elif form == "gguf":
        write_gguf(str(path), tensors, {"general.architecture": "qwen2", "general.alignment": 32})
    else:
        write_apr(str(path), tensors, {"architecture": "qwen2"})
    return open_bytes(path)


@check(
    metrics=[
        Metric("entries", unit="1", kind="count"),
        Metric("whole_accepted", unit="1", kind="count"),
        Metric("tried", unit="1", kind="count"),
        Metric("accepted", unit="1", kind="count"),
    ]
)
def every_entry(run: Run, *, model: Checkpoint) -> None:
    """Open files that contradict themselves through every way in.

    The ways in are, for each format, its own reader, and `read_checkpoint`, which tells the format.
    `whole_accepted` is 1 for each that opens the file as it is written and finds all of its tensors.
    `accepted` is 1 for each that opens one of these: cut by a byte, cut within the index, and with the
    embedding listed as twice as many rows as there are bytes for.
    """
    folder = Path(run.scratch())
    readers: Mapping[str, Reader] = run.role(
        "entries", {**FORMATS, **{f"read_checkpoint, {form}": read_checkpoint for form in FORMATS}}
    )
    rows, columns = model.info(EMBEDDING).shape
    tried = 0
    for form, own in FORMATS.items():
        file = written(model, form, folder / form)
        listed = len(own(file).names())
        ways = {name: reader for name, reader in readers.items() if name.endswith(form)}
        for name, reader in run.progress(ways.items(), len(ways)):
            run.record("whole_accepted", int(_opens(reader, file) == listed), label=name)
            for what, broken in _contradictions(file, form, rows, columns):
                run.record("accepted", int(_opens(reader, broken) is not None), label=f"{name}: {what}")
                tried += 1
    run.record("entries", len(readers))
    run.record("tried", tried)


def _opens(reader: Reader, file: FileBytes) -> int | None:
    try:
        return len(reader(file).names())
    except LoadError:
        return None


def _contradictions(file: FileBytes, form: str, rows: int, columns: int) -> Iterator[tuple[str, FileBytes]]:
    # APR's last four bytes are a checksum that a file need not have; one byte of it is no whole one.
    yield "cut by a byte", file.cut(file.size - 1)
    yield "cut within the index", file.cut(200)
    yield "twice the rows", _with_rows(file, form, rows, columns)


def _with_rows(file: FileBytes, form: str, rows: int, columns: int) -> FileBytes:
    if form == "safetensors":
        (length,) = struct.unpack("<Q", file.read(0, 8).tobytes())
        header = json.loads(file.read(8, length).tobytes())
        header[EMBEDDING]["shape"] = [2 * rows, columns]
        text = json.dumps(header).encode()
        return file.with_head(struct.pack("<Q", len(text)) + text, instead_of=8 + length)
    before, after = (
        struct.pack("<QQ", *((columns, many) if form == "gguf" else (many, columns)))
        for many in (rows, 2 * rows)
    )
    head = file.read(0, min(file.size, 1 << 20)).tobytes()
    if before not in head:
        raise CheckError(f"{file.path}: no dimensions {rows} and {columns} in its index")
    return file.with_head(head.replace(before, after, 1), instead_of=len(head))


@every_entry.counter_example("way_around", of="entries")
def way_around(entries: Mapping[str, Reader], *, model: Checkpoint) -> Mapping[str, Reader]:
    """Let one way in fill up what it does not find, and refuse nothing."""

    def lenient(file: FileBytes) -> Checkpoint:
        try:
            return read_gguf(file)
        except LoadError:
            return damage.emptied(model)

    return {**entries, "gguf": lenient}


@every_entry.counter_example("refuses_everything", of="entries")
def refuses_everything(entries: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Let one way in refuse whatever comes: that, too, accepts nothing broken."""

    def never(file: FileBytes) -> Checkpoint:
        raise LoadError("is refused", file.path)

    return {**entries, "apr": never}


@every_entry.counter_example("no_ways", of="entries")
def no_ways(entries: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Offer no way in."""
    del entries
    return {}


@every_entry.counter_example("unread_tensor", of="entries")
def unread_tensor(entries: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Let one way in lose the last tensor."""
    return {**entries, "safetensors": lambda file: damage.without_last(read_safetensors(file))}


def fault(model: Checkpoint) -> str:
    """Name the first thing that is wrong with the values of `model`, or ``none``.

    ``not finite``, ``zeros`` (half of the embedding or more), ``dead token`` (a row at a tenth, the middle
    or nine tenths of the vocabulary shorter than 1e-6).
    """
    for name in model.names():
        if not np.isfinite(model.tensor(name)).all():
            return "not finite"
    if EMBEDDING not in model.names():
        return "missing"
    values = model.tensor(EMBEDDING)
    if zero_share(values) >= 0.5:
        return "zeros"
    norms = row_norms(values)
    return "dead token" if min(norms[int(spot * len(norms))] for spot in SPOTS) < 1e-6 else "none"


@dataclasses.dataclass(frozen=True)
class _Case:
    expected: str
    change: Callable[[Floats], None]


def _set(rows: Callable[[int], Any], value: float) -> Callable[[Floats], None]:
    def change(values: Floats) -> None:
        values[rows(len(values))] = value

    return change


_CASES = {
    "as it is": _Case("none", _set(lambda rows: slice(rows, rows), 0.0)),
    "a NaN": _Case("not finite", _set(lambda rows: rows // 2, float("nan"))),
    "an infinity": _Case("not finite", _set(lambda rows: rows - 1, float("inf"))),
    "zeros first": _Case("zeros", _set(lambda rows: slice(0, int(0.945 * rows)), 0.0)),
    "a dead token": _Case("dead token", _set(lambda rows: int(SPOTS[1] * rows), 0.0)),
}


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("formats", unit="1", kind="count"),
        Metric("verdicts", unit="1", kind="count"),
        Metric("as_expected", unit="1", kind="count"),
        Metric("agreeing", unit="1", kind="count"),
    ]
)
def formats_agree(run: Run, *, model: Checkpoint) -> None:
    """Write a model whole and damaged in every format, and hear what is found wrong after reading it.

    For each case and format, `as_expected` is 1 if the finding is the one that the damage calls for; for
    each case, `agreeing` is 1 if the formats give one finding. `verdicts` counts findings.
    """
    folder = Path(run.scratch())
    readers: Mapping[str, Reader] = run.role("readers", FORMATS)
    verdicts = 0
    for title, case in run.progress(_CASES.items(), len(_CASES)):
        found = set()
        for form, reader in readers.items():
            finding = fault(reader(written(_planted(model, case), form, folder / form)))
            run.record("as_expected", int(finding == case.expected), label=f"{title}, {form}: {finding}")
            found.add(finding)
            verdicts += 1
        run.record("agreeing", int(len(found) == 1), label=title)
    run.record("cases", len(_CASES))
    run.record("formats", len(FORMATS))
    run.record("verdicts", verdicts)


def _planted(model: Checkpoint, case: _Case) -> Overlay:
    def values() -> Floats:
        copy = np.array(model.tensor(EMBEDDING))
        case.change(copy)
        return copy

    tensor = from_values(EMBEDDING, model.info(EMBEDDING).shape, values, "F16")
    return Overlay(model, replace={EMBEDDING: tensor})


def _reading(change: Callable[[Floats], Floats], reader: Reader) -> Reader:
    return lambda file: damage.replaced_values(
        (model := reader(file)), tuple(n for n in model.names() if n == EMBEDDING), change, "F32"
    )


@formats_agree.counter_example("nan_swept_away", of="readers")
def nan_swept_away(readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Let one format's reader turn what is not finite into zeros."""

    def sweep(values: Floats) -> Floats:
        return np.where(np.isfinite(values), values, np.float32(0))

    return {**readers, "gguf": _reading(sweep, read_gguf)}


@formats_agree.counter_example("zeros_filled_up", of="readers")
def zeros_filled_up(readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Let one format's reader put a small number where zeros are."""

    def fill(values: Floats) -> Floats:
        return np.where(values == 0, np.float32(1e-3), values)

    return {**readers, "apr": _reading(fill, read_apr)}


@formats_agree.counter_example("data_read_as_zeros", of="readers")
def data_read_as_zeros(readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Let one format's reader give zeros for the embedding, as for a tensor that it lost."""
    return {**readers, "apr": _reading(np.zeros_like, read_apr)}


@formats_agree.counter_example("one_format_left_out", of="readers")
def one_format_left_out(readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Ask two formats only."""
    return {form: reader for form, reader in readers.items() if form != "gguf"}


@formats_agree.counter_example("no_formats", of="readers")
def no_formats(readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Ask nobody."""
    del readers
    return {}
