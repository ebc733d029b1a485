"""Three independent verdicts on the head of a safetensors file, and what it says the file holds."""

from __future__ import annotations

import json
import struct

from pv.check import CheckError, Metric, Run, check
from pv_runtime.errors import LoadError
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.formats.safetensors import read_safetensors

__all__ = ["safetensors_header"]


@check(
    metrics=[
        Metric("load_ok", unit="1", kind="count"),
        Metric("header_length_ok", unit="1", kind="count"),
        Metric("brace_ok", unit="1", kind="count"),
        Metric("tensor_count", unit="1", kind="count"),
        Metric("total_params", unit="1", kind="count"),
        Metric("refusal", kind="text"),
    ]
)
def safetensors_header(run: Run, *, file: FileBytes) -> None:
    """Look at the head of `file` three times, none of them trusting another.

    `load_ok` is 1 if our reader accepts the file; `header_length_ok` if 0 < length <= size - 8 for
    the little-endian 64-bit length at byte 0; `brace_ok` if byte 8 is ``{`` (0x7B); each is 0
    otherwise. `tensor_count` and `total_params` are what the reader found: 0 where it refused, with
    its reason in `refusal` (``none`` where it did not).
    """
    head = file.read(0, min(file.size, 9)).tobytes()
    length = struct.unpack("<Q", head[:8])[0] if len(head) >= 8 else 0
    run.record("header_length_ok", int(0 < length <= file.size - 8))
    run.record("brace_ok", int(head[8:9] == b"{"))
    try:
        model = read_safetensors(file)
    except LoadError as error:
        run.record("load_ok", 0)
        run.record("tensor_count", 0)
        run.record("total_params", 0)
        run.record("refusal", error.what)
        return
    run.record("load_ok", 1)
    run.record("tensor_count", len(model.names()))
    run.record("total_params", sum(model.info(name).elements for name in model.names()))
    run.record("refusal", "none")


def _with_length(file: FileBytes, length: int) -> FileBytes:
    return file.with_head(struct.pack("<Q", length), instead_of=8)


def _length(file: FileBytes) -> int:
    if file.size < 9:
        raise CheckError(f"{file.path} has no header to damage")
    return int(struct.unpack("<Q", file.read(0, 8).tobytes())[0])


@safetensors_header.counter_example("wrong_length_prefix", of="file")
def wrong_length_prefix(file: FileBytes) -> FileBytes:
    """Announce a header of one byte less than it has."""
    return _with_length(file, _length(file) - 1)


@safetensors_header.counter_example("header_longer_than_file", of="file")
def header_longer_than_file(file: FileBytes) -> FileBytes:
    """Announce a header that ends one byte after the file."""
    return _with_length(file, file.size - 7)


@safetensors_header.counter_example("zero_header", of="file")
def zero_header(file: FileBytes) -> FileBytes:
    """Announce a header of no bytes."""
    return _with_length(file, 0)


@safetensors_header.counter_example("bracket_instead_of_brace", of="file")
def bracket_instead_of_brace(file: FileBytes) -> FileBytes:
    """Begin the header with ``[``."""
    return file.with_head(file.read(0, 8).tobytes() + b"[", instead_of=9)


@safetensors_header.counter_example("truncated", of="file")
def truncated(file: FileBytes) -> FileBytes:
    """Cut the last byte off."""
    return file.cut(file.size - 1)


@safetensors_header.counter_example("empty_file", of="file")
def empty_file(file: FileBytes) -> FileBytes:
    """Leave nothing."""
    return file.cut(0)


@safetensors_header.counter_example("tensor_missing_from_header", of="file")
def tensor_missing_from_header(file: FileBytes) -> FileBytes:
    """Drop the last tensor from header and data alike: the file is whole, and holds one too few."""
    length = _length(file)
    header = json.loads(file.read(8, length).tobytes())
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    last = max(tensors, key=lambda name: tuple(tensors[name]["data_offsets"]))
    begin, end = header.pop(last)["data_offsets"]
    text = json.dumps(header).encode()
    shorter = file.with_head(struct.pack("<Q", len(text)) + text, instead_of=8 + length)
    return shorter.cut(shorter.size - (end - begin))
