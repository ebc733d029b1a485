"""safetensors: an 8-byte length, a JSON header, and the tensors back to back.

Source: the format section of https://github.com/huggingface/safetensors, and its validation: no
holes, no overlaps, no duplicate keys, a header of at most 100 MB.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import PLAIN, TensorInfo
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.formats.strict_json import Pairs, parse_object, parse_pairs, plain
from pv_runtime.formats.table import TableCheckpoint
from pv_runtime.formats.writing import writing
from pv_runtime.quant.scheme import Bytes

__all__ = ["MAX_HEADER", "header_bytes", "read_config", "read_safetensors", "write_safetensors"]

MAX_HEADER = 100_000_000
"""Bytes of JSON that safetensors itself accepts."""
_MAX_CONFIG = 16 << 20
_MAX_DIMENSIONS = 32
_BEYOND = 2**63
_Span = tuple[int, int, str, list[int]]
"""Begin and end, relative to the data, dtype and shape of a tensor."""
_FIELDS = {"dtype", "shape", "data_offsets"}
_BITS = {**{name: size * 8 for name, size in PLAIN.items()}, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
"""Bits of one element; those of part of a byte are packed, and a tensor ends with a whole one."""


def read_safetensors(source: FileBytes, folder: Path | None = None) -> TableCheckpoint:
    """Read the header; the tensors stay in the file.

    ``metadata`` holds the header's ``__metadata__`` and, where `folder` is given, its ``config.json``
    under ``"config"``. A file that is opened by itself is only itself: what lies beside it has no part
    in its digest. Names come in the order of the data.

    Raises
    ------
    LoadError
        The header is not one that safetensors accepts, or does not match the file's length.
    """
    header, start = _header(source)
    entries: dict[str, object] = dict(header)
    if len(entries) != len(header):
        plain(header, source.path)  # which says the key that occurs twice
    declared = plain(entries.pop("__metadata__", ()), source.path)
    if not isinstance(declared, dict) or not all(isinstance(text, str) for text in declared.values()):
        raise LoadError("__metadata__ is no map of text to text", source.path)
    spans = _spans(source, entries)
    position = next(reversed(spans.values()))[1] if spans else 0
    if start + position != source.size:
        raise LoadError(
            f"the header accounts for {start + position} bytes, the file has {source.size}",
            source.path,
            "the file was cut short, or something was appended to it: fetch it again",
        )
    metadata = {**declared, **(read_config(folder) if folder else {})}
    return TableCheckpoint("safetensors", source, metadata, _Table(spans, start))


class _Table(Mapping[str, tuple[TensorInfo, int]]):
    """The checked entries; their descriptions are made when asked for, a third of the cost of opening."""

    def __init__(self, spans: dict[str, _Span], start: int) -> None:
        self._spans, self._start = spans, start

    def __getitem__(self, name: str) -> tuple[TensorInfo, int]:
        begin, end, dtype, shape = self._spans[name]
        return TensorInfo(name, dtype, tuple(shape), end - begin), self._start + begin

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)


def _header(source: FileBytes) -> tuple[Pairs, int]:
    """Return the parsed header and where the data starts."""
    if source.size < 8:
        raise LoadError(f"{source.size} bytes cannot hold safetensors' 8-byte header length", source.path)
    (length,) = struct.unpack("<Q", source.copy(0, 8))
    if not 0 < length <= source.size - 8:
        raise LoadError(
            f"the header's length {length} does not fit the file's {source.size} bytes",
            source.path,
            "the file is cut short, or is no safetensors file",
        )
    if length > MAX_HEADER:
        raise LoadError(f"a header of {length} bytes exceeds {MAX_HEADER}", source.path)
    return parse_pairs(source.copy(8, length), source.path), 8 + length


def _spans(source: FileBytes, entries: Mapping[str, object]) -> dict[str, _Span]:
    """Check the header's entries and return them in the order of the data, back to back from 0.

    This is half of what opening costs, and written for that: one loop, without a call on its way.
    """
    spans: dict[str, _Span] = {}
    position, in_order = 0, True
    for name, value in entries.items():
        if type(value) is not tuple or len(value) != 3:
            raise _no_entry(source, name, value)
        (first, dtype), (second, shape), (third, offsets) = value
        if first != "dtype" or second != "shape" or third != "data_offsets":
            fields = dict(value)
            if fields.keys() != _FIELDS:  # three pairs with these keys have none of them twice
                raise _no_entry(source, name, value)
            dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
        bits = _BITS.get(dtype) if type(dtype) is str else None
        if bits is None:
            said = repr(dtype) if type(dtype) is str else "that is no text"
            raise LoadError(f"tensor {name} has dtype {said}; known are {', '.join(_BITS)}", source.path)
        if type(shape) is not list or len(shape) > _MAX_DIMENSIONS:
            raise LoadError(f"tensor {name} has a shape that is no short list of sizes", source.path)
        for size in shape:
            if type(size) is not int or not 0 <= size < _BEYOND:
                raise LoadError(f"tensor {name} has a shape that is no short list of sizes", source.path)
            bits *= size
        begin, end = offsets if type(offsets) is list and len(offsets) == 2 else (None, None)
        if type(begin) is not int or type(end) is not int or begin < 0 or end < 0:
            raise LoadError(f"tensor {name} has data_offsets that are no pair of positions", source.path)
        if bits & 7:
            raise LoadError(f"tensor {name}: {dtype} of shape {shape} ends inside a byte", source.path)
        if end - begin != bits >> 3:
            raise LoadError(
                f"tensor {name} spans {end - begin} bytes, its dtype and shape need {bits >> 3}", source.path
            )
        if begin != position:
            in_order = False
        position = end
        spans[name] = (begin, end, dtype, shape)
    return spans if in_order else _in_order(source, spans)


def _in_order(source: FileBytes, spans: dict[str, _Span]) -> dict[str, _Span]:
    """Sort what the header lists in another order; raises `LoadError` for holes and overlaps."""
    found, position = {}, 0
    for name, span in sorted(spans.items(), key=lambda item: (item[1][0], item[1][1], item[0])):
        if span[0] != position:
            kind = "overlaps the tensor before it" if span[0] < position else "leaves a hole before it"
            raise LoadError(f"tensor {name} at byte {span[0]} {kind}, which ends at {position}", source.path)
        found[name] = span
        position = span[1]
    return found


def _no_entry(source: FileBytes, name: str, value: object) -> LoadError:
    """Return what to say of an entry with other fields; raises where one of them occurs twice."""
    plain(value, source.path)
    return LoadError(f"tensor {name} needs exactly dtype, shape and data_offsets", source.path)


def read_config(folder: Path) -> dict[str, Any]:
    """Read the folder's ``config.json``, if there is one, under the key ``config``."""
    beside = folder / "config.json"
    if not beside.is_file():
        return {}
    try:
        with beside.open("rb") as file:
            text = file.read(_MAX_CONFIG + 1)
    except OSError as error:
        raise LoadError(f"cannot be read: {error.strerror}", beside) from error
    if len(text) > _MAX_CONFIG:
        raise LoadError(f"exceeds {_MAX_CONFIG} bytes", beside)
    return {"config": parse_object(text.strip(), beside)}


def write_safetensors(
    path: str,
    tensors: Iterable[tuple[TensorInfo, Callable[[], Bytes]]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write tensors in the order given; the same input gives the same bytes.

    The header is padded with spaces so that the data starts at a multiple of 8, as safetensors
    does. Bytes of a tensor are asked for when it is its turn.

    Raises
    ------
    ValueError
        A dtype has no name in safetensors, or bytes do not match a tensor's info.
    """
    listed = list(tensors)
    header = header_bytes([info for info, _ in listed], metadata)
    with writing(path) as file:
        file.write(header)
        for info, raw in listed:
            data = raw()
            if data.nbytes != info.nbytes:
                raise ValueError(f"tensor {info.name}: {data.nbytes} bytes, announced were {info.nbytes}")
            file.write(np.ascontiguousarray(data).data)  # without a copy: a tensor may be gigabytes


def header_bytes(infos: Iterable[TensorInfo], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return what stands before the data of these tensors, for who writes them as they come.

    Raises
    ------
    ValueError
        A dtype has no name in safetensors.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    position = 0
    for info in infos:
        if info.dtype not in PLAIN:
            raise ValueError(f"tensor {info.name}: safetensors has no dtype {info.dtype}")
        header[info.name] = {
            "dtype": info.dtype,
            "shape": list(info.shape),
            "data_offsets": [position, position + info.nbytes],
        }
        position += info.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text
