"""Say in a model file where it comes from and how it is licensed, or give it its tokenizer; tensors stay.

Only the head of the file is written anew. What follows it, all tensors, is copied as one run of bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, read_checkpoint
from pv_runtime.formats.apr import AprCheckpoint, footer_matches
from pv_runtime.formats.apr_header import ALIGNMENT, FLAGS, HEADER_SIZE, MAX_METADATA, packed
from pv_runtime.formats.apr_metadata import serialised
from pv_runtime.formats.gguf_header import Cursor, read_value
from pv_runtime.formats.gguf_writer import Typed, packed_pair
from pv_runtime.formats.pages import bring, give_back
from pv_runtime.formats.safetensors import MAX_HEADER
from pv_runtime.formats.table import TableCheckpoint
from pv_runtime.formats.writing import writing
from pv_runtime.origin import GGUF_PREFIX, PREFIX, Origin, origin_keys, origin_of
from pv_runtime.provenance import file_sha256
from pv_runtime.tokenizer_files import folder_vocabulary
from pv_runtime.vocabulary import apr_keys, gguf_keys

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
_EMBEDDING = "model.embed_tokens.weight"
_TOKENIZER = "tokenizer."
_TEMPLATES = ("tokenizer.chat_template", "chat_template")
"""Keys of a tokenizer begin so; a chat template stays where the new tokenizer has none."""


@dataclasses.dataclass(frozen=True)
class Stamped:
    """What was written; `changed` is False where the file said all of it before and was copied.

    `vocabulary` is the number of tokens that were embedded, None where no tokenizer was asked for.
    """

    changed: bool
    fields: Mapping[str, str]
    source_sha256: str
    source_bytes: int
    output_bytes: int
    tensors: int
    notes: tuple[str, ...]
    vocabulary: int | None = None


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


def stamp(
    model: Checkpoint, output: str, fields: Mapping[str, str], *, tokenizer: Path | None = None
) -> Stamped:
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
    tokenizer
        A folder with a tokenizer.json, which is embedded; it takes the place of one that the file carries.

    Raises
    ------
    LoadError
        The file is damaged, one of several parts, or contradicts `fields`; or the tokenizer is broken, of
        a kind that is not translated, or larger than the model's embedding.
    """
    if not isinstance(model, TableCheckpoint) or len(model.files) != 1:
        raise LoadError("is one of several files of a model", model.path, "merge them, or stamp each")
    if isinstance(model, AprCheckpoint) and footer_matches(model) is False:
        raise LoadError("does not have the checksum that its last bytes state", model.path, "fetch it again")
    _agree(model, fields)
    named: dict[str, object] = {
        FIELDS[key] if model.format == "gguf" else key: value for key, value in fields.items()
    }
    options: dict[str, object] = {"command": "stamp", "fields": dict(fields)}
    notes: tuple[str, ...] = getattr(model, "notes", ())
    words = _words(model, tokenizer) if tokenizer is not None else {}
    if tokenizer is not None:
        options["tokenizer"] = {"sha256": file_sha256(str(tokenizer / "tokenizer.json"))}
        notes += _replaced(model, words)
    named |= words
    origin = origin_of(model, options)
    changed = any(_plain(model.metadata.get(key)) != _plain(value) for key, value in named.items())
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
        notes,
        next(
            (len(value) for key, value in words.items() if key in _TOKENS and isinstance(value, tuple)), None
        ),
    )


_TOKENS = ("tokenizer.ggml.tokens", "tokenizer.vocabulary")


def _words(model: TableCheckpoint, folder: Path) -> dict[str, object]:
    """Return the keys that carry the tokenizer of `folder` in the model's format."""
    if model.format == "safetensors":
        raise LoadError(
            "is a safetensors file, which carries no tokenizer",
            model.path,
            "leave --tokenizer out, and put tokenizer.json beside it",
        )
    shape = model.info(_EMBEDDING).shape
    vocabulary = folder_vocabulary(folder, shape[0] if shape else 0)
    if vocabulary is None:
        raise LoadError("holds no tokenizer.json", folder, "name the folder of a model of Hugging Face")
    return gguf_keys(vocabulary) if model.format == "gguf" else apr_keys(vocabulary)


def _replaced(model: TableCheckpoint, words: Mapping[str, object]) -> tuple[str, ...]:
    """Say that the file carries another tokenizer, which the stamp replaces."""
    for key in _TOKENS:
        before = model.metadata.get(key)
        if isinstance(before, Sequence) and _plain(before) != _plain(words.get(key)):
            return (f"carried another tokenizer, of {len(before)} tokens, which was replaced",)
    return ()


def _plain(value: object) -> object:
    """Return a value of metadata so that it can be compared with one that was read or will be written."""
    value = value.value if isinstance(value, Typed) else value
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _stays(key: str, named: Mapping[str, object]) -> bool:
    """Whether an old key stays beside the new ones: those of an old tokenizer do not."""
    embeds = any(name in _TOKENS for name in named)
    return key not in named and (not embeds or not key.startswith(_TOKENIZER) or key in _TEMPLATES)


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
        mapped = source.read(position, min(_CHUNK, end - position))
        bring(mapped)
        checksum = zlib.crc32(mapped.data, checksum) if sealed else 0
        yield mapped.data
        give_back(mapped)
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


def _apr(model: TableCheckpoint, named: Mapping[str, object], origin: Origin) -> tuple[bytes, int]:
    if not isinstance(model, AprCheckpoint):
        raise TypeError(model.format)
    kept = {
        key: value
        for key, value in model.metadata.items()
        if not key.startswith(PREFIX) and _stays(key, named)
    }
    text = serialised({**kept, **named, **origin_keys(origin, PREFIX)})
    if len(text) > MAX_METADATA:
        raise LoadError(f"its metadata would exceed {MAX_METADATA} bytes", model.path)
    old = model.header
    vocabulary = FLAGS["HAS_VOCAB"] if "tokenizer.vocabulary" in named else 0
    index = model.source.copy(old.index_offset, old.data_offset - old.index_offset)
    index_offset = HEADER_SIZE + len(text) + -len(text) % ALIGNMENT
    data_offset = index_offset + len(index) + -len(index) % ALIGNMENT
    header = dataclasses.replace(
        old,
        magic=b"APR\0",
        flags=old.flags & ~FLAGS["SIGNED"] | FLAGS["ROW_MAJOR"] | vocabulary,
        metadata_offset=HEADER_SIZE,
        metadata_size=len(text),
        index_offset=index_offset,
        data_offset=data_offset,
    )
    head = (packed(header) + text).ljust(index_offset, b"\0") + index
    return head.ljust(data_offset, b"\0"), old.data_offset


def _safetensors(model: TableCheckpoint, named: Mapping[str, object], origin: Origin) -> tuple[bytes, int]:
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


def _gguf(model: TableCheckpoint, named: Mapping[str, object], origin: Origin) -> tuple[bytes, int]:
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
        if _stays(key, added) and not key.startswith(GGUF_PREFIX):
            keys.append(model.source.copy(before, cursor.position - before))
    keys += [packed_pair(key, value) for key, value in added.items()]
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


_HEADS: dict[str, Callable[[TableCheckpoint, Mapping[str, object], Origin], tuple[bytes, int]]] = {
    "apr": _apr,
    "gguf": _gguf,
    "safetensors": _safetensors,
}
