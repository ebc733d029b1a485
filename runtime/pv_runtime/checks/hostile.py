"""Corrupted offsets, lengths and counts: a file is read within its bounds or refused, and never more.

Each field of a header comes from whoever wrote the file, and so does its checksum, which is therefore
made right again after the damage: it must not be what saves the reader.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.checks import damage
from pv_runtime.checks.loaders import FORMATS, Reader, written
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, FileBytes, TensorInfo
from pv_runtime.formats.overlay import LazyTensor, Overlay

__all__ = ["corrupted_offsets"]

_EXTREMES = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 62, (1 << 63) - 1, (1 << 64) - 1)
"""Where lengths overflow; each is written over a field, cut to its width."""
_WIDTHS = (1, 2, 4, 8)
_CUTS = 64


@check(
    metrics=[
        Metric("formats", unit="1", kind="count"),
        Metric("mutations", unit="1", kind="count"),
        Metric("expected_mutations", unit="1", kind="count"),
        Metric("crashed", unit="1", kind="count"),
        Metric("outside", unit="1", kind="count"),
        Metric("refused", unit="1", kind="count"),
        Metric("cut_accepted", unit="1", kind="count"),
        Metric("whole_refused", unit="1", kind="count"),
    ]
)
def corrupted_offsets(run: Run, *, model: Checkpoint, rounds: int) -> None:
    """Write `model` in every format, overwrite fields of its head, and open it.

    `rounds` times for each format, 1, 2, 4 or 8 bytes at a place drawn at random in the head are replaced
    by an extreme or by a number near the file's size; APR's header checksum is made right after that. Each
    file is opened, and if it opens, every tensor's bytes are touched. `crashed` is 1 if anything but a
    `LoadError` comes of it, `outside` if the tensors that it lists take more bytes than the file has or
    other than they announce, `refused` if it is refused. `cut_accepted` counts prefixes of the file that
    are opened, of 64 lengths; `whole_refused` is 1 if the file as written is refused.
    """
    readers: Mapping[str, Reader] = run.role("readers", FORMATS)
    folder = Path(run.scratch())
    generator = np.random.default_rng(run.seed)
    mutations = 0
    for form, reader in readers.items():
        file = written(model, form, folder / form)
        run.record("whole_refused", int(_outcome(reader, file) != "read"), label=form)
        head = _head_size(file, form)
        for length in np.linspace(0, file.size - 5, _CUTS).astype(int):
            accepted = _outcome(reader, file.cut(int(length))) == "read"
            run.record("cut_accepted", int(accepted), label=f"{form}, {length} bytes")
        for _ in run.progress(range(rounds), rounds):
            width = int(generator.choice(_WIDTHS))
            place = int(generator.integers(0, head - width))
            number = int(generator.choice(len(_EXTREMES) + 1))
            near = file.size + int(generator.integers(-64, 65))
            value = _EXTREMES[number] if number < len(_EXTREMES) else near
            outcome = _outcome(reader, _overwritten(file, form, place, width, value))
            label = f"{form}: {width} bytes at {place} = {value:#x}"
            run.record("crashed", int(outcome == "crashed"), label=label)
            run.record("outside", int(outcome == "outside"), label=label)
            run.record("refused", int(outcome == "refused"), label=label)
            mutations += 1
    run.record("formats", len(readers))
    run.record("mutations", mutations)
    run.record("expected_mutations", len(FORMATS) * rounds)


def _head_size(file: FileBytes, form: str) -> int:
    """Return how many bytes come before the data."""
    head = file.read(0, 64).tobytes()
    if form == "safetensors":
        return 8 + int(struct.unpack("<Q", head[:8])[0])
    if form == "apr":
        return int(struct.unpack("<Q", head[32:40])[0])
    tensors = FORMATS[form](file)
    return file.size - sum(tensors.info(name).nbytes for name in tensors.names())


def _overwritten(file: FileBytes, form: str, place: int, width: int, value: int) -> FileBytes:
    end = max(64, place + width)
    head = bytearray(file.read(0, end).tobytes())
    head[place : place + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
    if form == "apr":
        head[40:44] = struct.pack("<I", zlib.crc32(head[44:64], zlib.crc32(head[:40])))
    return file.with_head(bytes(head), instead_of=end)


def _outcome(reader: Reader, file: FileBytes) -> str:
    try:
        model = reader(file)
        listed = 0
        for name in model.names():
            info, raw = model.info(name), model.raw(name)
            if raw.size != info.nbytes:
                return "outside"
            if raw.size:
                int(raw[0]) + int(raw[-1])  # a page outside the file would end the process here
            listed += info.nbytes
    except LoadError:
        return "refused"
    except Exception:
        return "crashed"
    return "read" if listed <= file.size else "outside"


@corrupted_offsets.counter_example("believes_the_header", of="readers")
def believes_the_header(readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Let one reader stumble where it should refuse."""

    def naive(file: FileBytes) -> Checkpoint:
        try:
            return readers["gguf"](file)
        except LoadError as error:
            raise struct.error("unpack requires a larger buffer") from error

    return {**readers, "gguf": naive}


@corrupted_offsets.counter_example("reads_past_the_end", of="readers")
def reads_past_the_end(readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Let one reader list a tensor that takes more bytes than there are."""

    def beyond(file: FileBytes) -> Checkpoint:
        model = readers["apr"](file)
        name = model.names()[0]
        info = model.info(name)
        longer = TensorInfo(name, info.dtype, info.shape, file.size + 1)
        return Overlay(model, replace={name: LazyTensor(longer, lambda: model.raw(name))})

    return {**readers, "apr": beyond}


@corrupted_offsets.counter_example("takes_what_is_cut_short", of="readers")
def takes_what_is_cut_short(readers: Mapping[str, Reader], *, model: Checkpoint) -> Mapping[str, Reader]:
    """Let one reader answer with an empty model where the file is cut short."""

    def lenient(file: FileBytes) -> Checkpoint:
        try:
            return readers["safetensors"](file)
        except LoadError:
            return damage.emptied(model)

    return {**readers, "safetensors": lenient}


@corrupted_offsets.counter_example("refuses_everything", of="readers")
def refuses_everything(readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Let one reader refuse whatever comes, which never crashes."""

    def never(file: FileBytes) -> Checkpoint:
        raise LoadError("is refused", file.path)

    return {**readers, "apr": never}


@corrupted_offsets.counter_example("no_readers", of="readers")
def no_readers(readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
    """Try no format."""
    del readers
    return {}
