"""safetensors: an 8-byte length, a JSON header, and the tensors back to back.

Source: the format section of https://github.com/huggingface/safetensors, and its validation: no
holes, no overlaps, no duplicate keys, a header of at most 100 MB.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from pv_runtime.errors import LoadError
from pv_runtime.formats.checkpoint import PLAIN, TensorInfo
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.formats.table import TableCheckpoint
from pv_runtime.formats.writing import writing
from pv_runtime.quant.scheme import Bytes

__all__ = ["MAX_HEADER", "read_safetensors", "write_safetensors"]

MAX_HEADER = 100_000_000
"""Bytes of JSON that safetensors itself accepts."""
_MAX_CONFIG = 16 << 20
_MAX_DIMENSIONS = 32


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
    declared = header.pop("__metadata__", {})
    if not isinstance(declared, dict) or not all(isinstance(value, str) for value in declared.values()):
        raise LoadError("__metadata__ is no map of text to text", source.path)
    entries = sorted(
        (_entry(source, name, value) for name, value in header.items()),
        key=lambda entry: (entry[1], entry[2], entry[0].name),
    )
    table: dict[str, tuple[TensorInfo, int]] = {}
    position = 0
    for info, begin, end in entries:
        if begin != position:
            kind = "overlaps the tensor before it" if begin < position else "leaves a hole before it"
            raise LoadError(
                f"tensor {info.name} at byte {begin} {kind}, which ends at {position}", source.path
            )
        table[info.name] = (info, start + begin)
        position = end
    if start + position != source.size:
        raise LoadError(
            f"the header accounts for {start + position} bytes, the file has {source.size}",
            source.path,
            "the file was cut short, or something was appended to it: fetch it again",
        )
    return TableCheckpoint("safetensors", source, {**declared, **(_config(folder) if folder else {})}, table)


def _header(source: FileBytes) -> tuple[dict[str, Any], int]:
    """Return the parsed header and where the data starts."""
    if source.size < 8:
        raise LoadError(f"{source.size} bytes cannot hold safetensors' 8-byte header length", source.path)
    (length,) = struct.unpack("<Q", source.read(0, 8).tobytes())
    if not 0 < length <= source.size - 8:
        raise LoadError(
            f"the header's length {length} does not fit the file's {source.size} bytes",
            source.path,
            "the file is cut short, or is no safetensors file",
        )
    if length > MAX_HEADER:
        raise LoadError(f"a header of {length} bytes exceeds {MAX_HEADER}", source.path)
    return _parse(source.read(8, length).tobytes(), source.path), 8 + length


def _parse(text: bytes, path: str | Path) -> dict[str, Any]:
    """Parse a JSON object strictly: no duplicate keys, no NaN, no deep nesting."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise LoadError(f"the JSON key {key!r} occurs twice", path)
            if not (_encodable(key) and (not isinstance(value, str) or _encodable(value))):
                raise LoadError(f"the JSON key {key!a} or its value holds half a surrogate pair", path)
            found[key] = value
        return found

    def refuse(constant: str) -> NoReturn:
        raise LoadError(f"the JSON holds {constant}, which is no number", path)

    if text[:1] != b"{":
        raise LoadError("the header does not begin with '{'", path, "the file is no safetensors file")
    try:
        parsed = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except RecursionError as error:
        raise LoadError("the JSON is nested too deeply", path) from error
    except ValueError as error:  # bad UTF-8, bad JSON, an integer of thousands of digits
        raise LoadError(f"the JSON cannot be parsed: {error}", path) from error
    if not isinstance(parsed, dict):
        raise LoadError("the JSON is no object", path)
    return parsed


def _encodable(text: str) -> bool:
    """Whether `text` is Unicode that can be written out again: JSON's escapes can spell what is not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _entry(source: FileBytes, name: str, value: object) -> tuple[TensorInfo, int, int]:
    """Check one header entry and return it with its offsets relative to the data."""
    fields = value if isinstance(value, dict) else {}
    if set(fields) != {"dtype", "shape", "data_offsets"}:
        raise LoadError(f"tensor {name} needs exactly dtype, shape and data_offsets", source.path)
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in PLAIN:
        raise LoadError(f"tensor {name} has dtype {dtype!r}; known are {', '.join(PLAIN)}", source.path)
    if not _naturals(shape) or len(shape) > _MAX_DIMENSIONS:
        raise LoadError(f"tensor {name} has a shape that is no short list of sizes", source.path)
    if not _naturals(offsets) or len(offsets) != 2:
        raise LoadError(f"tensor {name} has data_offsets that are no pair of positions", source.path)
    begin, end = offsets
    nbytes = math.prod(shape) * PLAIN[dtype]
    if end - begin != nbytes:
        raise LoadError(
            f"tensor {name} spans {end - begin} bytes, its dtype and shape need {nbytes}", source.path
        )
    return TensorInfo(name, dtype, tuple(shape), nbytes), begin, end


def _naturals(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)


def _config(folder: Path) -> dict[str, Any]:
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
    return {"config": _parse(text.strip(), beside)}


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
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    position = 0
    for info, _ in listed:
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
    with writing(path) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for info, raw in listed:
            data = raw()
            if data.nbytes != info.nbytes:
                raise ValueError(f"tensor {info.name}: {data.nbytes} bytes, announced were {info.nbytes}")
            file.write(data.tobytes())
