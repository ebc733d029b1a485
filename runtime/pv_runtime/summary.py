"""What a checkpoint is, in few words: architecture, tokenizer, tied or not, and what is not understood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sized
from typing import Any

from pv_runtime.formats.apr_types import PADDED
from pv_runtime.formats.checkpoint import DECODED, Checkpoint
from pv_runtime.formats.packing import packed_tensors
from pv_runtime.names import gguf_name

__all__ = [
    "architecture",
    "dtype_table",
    "is_decoded",
    "not_understood",
    "notes",
    "tied_embeddings",
    "tokenizer",
    "vocabulary_key",
]

_APR_DECODED = {"APR_Q4", "APR_Q8", *PADDED}
_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"

_TOKENIZER_KEYS: tuple[dict[str, str], ...] = (
    {
        "model": "tokenizer.ggml.model", "pre": "tokenizer.ggml.pre", "tokens": "tokenizer.ggml.tokens",
        "merges": "tokenizer.ggml.merges", "bos_token_id": "tokenizer.ggml.bos_token_id",
        "eos_token_id": "tokenizer.ggml.eos_token_id",
        "padding_token_id": "tokenizer.ggml.padding_token_id",
        "unknown_token_id": "tokenizer.ggml.unknown_token_id",
        "add_bos_token": "tokenizer.ggml.add_bos_token", "chat_template": "tokenizer.chat_template",
    },
    {
        "model": "tokenizer.model", "pre": "tokenizer.pre", "tokens": "tokenizer.vocabulary",
        "merges": "tokenizer.merges", "bos_token_id": "tokenizer.bos_token_id",
        "eos_token_id": "tokenizer.eos_token_id", "padding_token_id": "tokenizer.padding_token_id",
        "unknown_token_id": "tokenizer.unknown_token_id", "add_bos_token": "tokenizer.add_bos_token",
        "chat_template": "chat_template",
    },
)  # fmt: skip
"""What is said of a tokenizer, and the key that GGUF, or APR, has it under."""


def architecture(metadata: Mapping[str, object]) -> str | None:
    """Return the architecture's name where the file states one."""
    config = metadata.get("config")
    stated = config.get("model_type") if isinstance(config, Mapping) else None
    found = (metadata.get("general.architecture"), stated, metadata.get("architecture"))
    return next((name for name in found if isinstance(name, str)), None)


def dtype_table(model: Checkpoint) -> dict[str, dict[str, int]]:
    """Count tensors, parameters and bytes of each dtype."""
    table: dict[str, dict[str, int]] = {}
    for info in map(model.info, model.names()):
        row = table.setdefault(info.dtype, {"tensors": 0, "params": 0, "bytes": 0})
        row["tensors"] += 1
        row["params"] += info.elements
        row["bytes"] += info.nbytes
    return dict(sorted(table.items()))


def is_decoded(dtype: str) -> bool:
    """Whether a tensor of this dtype can be turned into values here."""
    return dtype in DECODED or dtype in _APR_DECODED


def tokenizer(metadata: Mapping[str, object]) -> dict[str, Any] | None:
    """Summarise the tokenizer that the file carries; None where it carries none.

    ``tokens`` and ``merges`` are how many there are, ``chat_template`` whether there is one, all
    others the stated value or None. No token is decoded.
    """
    for keys in _TOKENIZER_KEYS:
        if keys["tokens"] in metadata:
            said = {name: metadata.get(key) for name, key in keys.items()}
            for name in ("tokens", "merges"):
                items = said[name]
                said[name] = len(items) if isinstance(items, Sized) and not isinstance(items, str) else None
            return {**said, "chat_template": said["chat_template"] is not None}
    return None


def vocabulary_key(metadata: Mapping[str, object]) -> str | None:
    """Return the metadata key of the list of tokens, where there is one."""
    return next((keys["tokens"] for keys in _TOKENIZER_KEYS if keys["tokens"] in metadata), None)


def tied_embeddings(model: Checkpoint) -> bool | None:
    """Whether the head has no tensor of its own; None where there is no embedding of a known name."""
    present = set(model.names())
    return None if _EMBEDDING not in present else _HEAD not in present


def notes(model: Checkpoint) -> list[str]:
    """Say what a careful reader is told: the reader's own notes, and where the file contradicts itself."""
    found = [str(note) for note in getattr(model, "notes", ())]
    config = model.metadata.get("config")
    stated = config.get("tie_word_embeddings") if isinstance(config, Mapping) else None
    stated = model.metadata.get("tie_word_embeddings", stated)
    tied = tied_embeddings(model)
    if stated is True and tied is False:
        found.append(f"the configuration says tied, but there is a {_HEAD}")
    if stated is False and tied is True:
        found.append(f"the configuration says not tied, but there is no {_HEAD}")
    return found


def not_understood(model: Checkpoint) -> list[dict[str, Any]]:
    """List what is carried along without being understood, each kind with its number and first name.

    Such are ``dtype``: values that are not decoded; ``packing``: codes and scales that only a
    quantiser's own code unpacks; ``name``: tensors outside the table of names that maps formats
    onto each other.
    """
    packed = packed_tensors(model.names(), model.metadata)
    unknown: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for name in model.names():
        dtype = model.info(name).dtype
        kinds = [("packing", packed[name])] if name in packed else []
        kinds += [("dtype", dtype)] if not is_decoded(dtype) else []
        kinds += [("name", "")] if name not in packed and gguf_name(name) == name else []
        for kind in kinds:
            unknown[kind] += 1
            first.setdefault(kind, name)
    return [
        {"kind": kind, "what": what or None, "tensors": count, "first": first[kind, what]}
        for (kind, what), count in sorted(unknown.items())
    ]
