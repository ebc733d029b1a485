"""Say in a model file where it comes from and how it is licensed; its tensors stay as they are.

Only the head of the file is written anew. What follows it, all tensors, is copied as one run of bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping

from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, read_checkpoint
from pv_runtime.formats.apr import AprCheckpoint, footer_matches
from pv_runtime.formats.apr_header import ALIGNMENT, FLAGS, HEADER_SIZE, MAX_METADATA, packed
from pv_runtime.formats.apr_metadata import serialised
from pv_runtime.formats.gguf_header import Cursor, read_value
from pv_runtime.formats.safetensors import MAX_HEADER
from pv_runtime.formats.table import TableCheckpoint
from pv_runtime.formats.writing import writing
from pv_runtime.origin import GGUF_PREFIX, PREFIX, Origin, origin_keys, origin_of

__all__ = ["FIELDS", "LICENCES", "Stamped", "licence", "stamp"]

FIELDS: dict[str, str] = {
    "license": "general.license",
    "data_source": "pv.data_source",
    "data_license": "pv.data_license",
    "architecture": "general.architecture",
    "hf_architecture": "pv.hf_architecture",
    "hf_model_type": "pv.hf_model_type",
}
"""What can be stamped: the key in APR and safetensors, and the one in GGUF."""

LICENCES = ("license", "data_license")
"""Those of them that are SPDX licence expressions."""

_CHUNK = 4 << 20


@dataclasses.dataclass(frozen=True)
class Stamped:
    """What was written; `changed` is False where the file said all of it before and was copied."""

    changed: bool
    fields: Mapping[str, str]
    source_sha256: str
    source_bytes: int
    output_bytes: int
    tensors: int
    notes: tuple[str, ...]


def licence(text: str) -> str:
    """Return an SPDX licence expression as SPDX spells it: ``mit or apache-2.0`` as ``MIT OR Apache-2.0``.

    Raises
    ------
    ValueError
        It is none: an id is unknown, or the expression has no meaning.
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise ValueError(f"{text!r} is no SPDX licence expression: {error}") from error


def stamp(model: Checkpoint, output: str, fields: Mapping[str, str]) -> Stamped:
    """Write a copy of the file `model` to `output` whose metadata say `fields`.

    The copy records what it was made from. Where the file says all of `fields` already, it is copied
    as it is, so that stamping twice is stamping once.

    Parameters
    ----------
    model
        Of one file.
    output
        Written whole or not at all.
    fields
        Keys of `FIELDS`; licences as `licence` returns them.

    Raises
    ------
    LoadError
        The file is damaged, one of several parts, or contradicts `fields`.
    """
    if not isinstance(model, TableCheckpoint) or len(model.files) != 1:
        raise LoadError("is one of several files of a model", model.path, "merge them, or stamp each")
    if isinstance(model, AprCheckpoint) and footer_matches(model) is False:
        raise LoadError("does not have the checksum that its last bytes state", model.path, "fetch it again")
    _agree(model, fields)
    named = {FIELDS[key] if model.format == "gguf" else key: value for key, value in fields.items()}
    origin = origin_of(model, {"command": "stamp", "fields": dict(fields)})
    changed = any(model.metadata.get(key) != value for key, value in named.items())
    head, start = _HEADS[model.format](model, named, origin) if changed else (b"", 0)
    _require_same_tensors(model, head, start)
    size = 0
    with writing(output) as file:
        for piece in _pieces(model, head, start, changed=changed):
            size += file.write(piece)
    return Stamped(
        changed,
        dict(fields),
        origin.sha256,
        model.source.size,
        size,
        len(model.names()),
        getattr(model, "notes", ()),
    )


def _agree(model: TableCheckpoint, fields: Mapping[str, str]) -> None:
    """Refuse a stamp that the file's own parameters contradict."""
    config = model.metadata.get("config")
    if isinstance(config, str):
        with contextlib.suppress(ValueError, RecursionError):  # text of somebody's that is no config of ours
            config = json.loads(config)
    stated = config if isinstance(config, Mapping) else {}
    kind = model.metadata.get("general.architecture", stated.get("model_type"))
    for key in ("architecture", "hf_model_type"):
        if key in fields and kind is not None and fields[key] != kind:
            raise LoadError(f"says that it is a {kind!r}, and would be stamped {fields[key]!r}", model.path)
    classes = stated.get("architectures")
    if "hf_architecture" in fields and isinstance(classes, list) and fields["hf_architecture"] not in classes:
        raise LoadError(
            f"says that its class is {classes}, and would be stamped {fields['hf_architecture']!r}",
            model.path,
        )


def _pieces(
    model: TableCheckpoint, head: bytes, start: int, *, changed: bool
) -> Iterator[bytes | memoryview]:
    """Yield the head, then the file from `start` on; of APR with a new checksum at its end."""
    source, end = model.source, model.source.size
    sealed = changed and isinstance(model, AprCheckpoint)
    if sealed and isinstance(model, AprCheckpoint) and model.footer is not None:
        end -= 4
    yield head
    checksum = zlib.crc32(head)
    for position in range(start, end, _CHUNK):
        piece = source.read(position, min(_CHUNK, end - position)).data
        checksum = zlib.crc32(piece, checksum) if sealed else 0
        yield piece
    if sealed:
        yield struct.pack("<I", checksum)


def _require_same_tensors(model: TableCheckpoint, head: bytes, start: int) -> None:
    """Read the file as it will be, before it is written: a fault of ours must not reach the disk."""
    new = read_checkpoint(model.source.with_head(head, instead_of=start))
    moved = len(head) - start
    if not isinstance(new, TableCheckpoint) or new.table != {
        name: (info, place + moved) for name, (info, place) in model.table.items()
    }:
        raise RuntimeError(f"stamping {model.path} would change its tensors")


def _apr(model: TableCheckpoint, named: Mapping[str, str], origin: Origin) -> tuple[bytes, int]:
    if not isinstance(model, AprCheckpoint):
        raise TypeError(model.format)
    kept = {key: value for key, value in model.metadata.items() if not key.startswith(PREFIX)}
    text = serialised({**kept, **named, **origin_keys(origin, PREFIX)})
    if len(text) > MAX_METADATA:
        raise LoadError(f"its metadata would exceed {MAX_METADATA} bytes", model.path)
    old = model.header
    index = model.source.copy(old.index_offset, old.data_offset - old.index_offset)
    index_offset = HEADER_SIZE + len(text) + -len(text) % ALIGNMENT
    data_offset = index_offset + len(index) + -len(index) % ALIGNMENT
    header = dataclasses.replace(
        old,
        magic=b"APR\0",
        flags=old.flags & ~FLAGS["SIGNED"] | FLAGS["ROW_MAJOR"],
        metadata_offset=HEADER_SIZE,
        metadata_size=len(text),
        index_offset=index_offset,
        data_offset=data_offset,
    )
    head = (packed(header) + text).ljust(index_offset, b"\0") + index
    return head.ljust(data_offset, b"\0"), old.data_offset


def _safetensors(model: TableCheckpoint, named: Mapping[str, str], origin: Origin) -> tuple[bytes, int]:
    (length,) = struct.unpack("<Q", model.source.copy(0, 8))
    header = json.loads(model.source.copy(8, length))
    kept = {key: text for key, text in header.pop("__metadata__", {}).items() if not key.startswith(PREFIX)}
    metadata = {**kept, **named, **origin_keys(origin, PREFIX)}
    whole = {"__metadata__": dict(sorted(metadata.items())), **header}
    text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise LoadError(f"its header would exceed {MAX_HEADER} bytes", model.path)
    return struct.pack("<Q", len(text)) + text, 8 + length


def _gguf(model: TableCheckpoint, named: Mapping[str, str], origin: Origin) -> tuple[bytes, int]:
    """Keep every other key and the whole tensor table byte for byte, and append the new keys."""
    cursor = Cursor(model.source)
    version = bytes(cursor.take(8, "the magic and version"))
    tensors, count = cursor.number("Q", "the tensor count"), cursor.number("Q", "the key count")
    added = {**named, **origin_keys(origin, GGUF_PREFIX)}
    keys: list[bytes] = []
    for _ in range(count):
        before = cursor.position
        key = cursor.text("a key")
        read_value(cursor, key)
        if key not in added and not key.startswith(GGUF_PREFIX):
            keys.append(model.source.copy(before, cursor.position - before))
    keys += [_text(key) + struct.pack("<I", 8) + _text(value) for key, value in added.items()]
    table = cursor.position
    for _ in range(tensors):
        cursor.text("a tensor's name")
        cursor.take(8 * cursor.number("I", "a rank") + 12, "a tensor")
    alignment = model.metadata.get("general.alignment", 32)
    step = alignment if isinstance(alignment, int) else 32
    start = min(cursor.position + -cursor.position % step, model.source.size)
    head = version + struct.pack("<QQ", tensors, len(keys)) + b"".join(keys)
    head += model.source.copy(table, cursor.position - table)
    return head + bytes(-len(head) % step), start


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


_HEADS: dict[str, Callable[[TableCheckpoint, Mapping[str, str], Origin], tuple[bytes, int]]] = {
    "apr": _apr,
    "gguf": _gguf,
    "safetensors": _safetensors,
}
