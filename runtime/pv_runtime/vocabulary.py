"""A tokenizer's vocabulary and merges, as GGUF and APR carry them in their metadata."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pv_runtime.errors import LoadError
from pv_runtime.formats.gguf_writer import Typed

__all__ = [
    "CONTROL",
    "NORMAL",
    "SPECIAL_IDS",
    "UNUSED",
    "USER_DEFINED",
    "Vocabulary",
    "apr_keys",
    "apr_vocabulary",
    "gguf_keys",
    "gguf_vocabulary",
]

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""Kinds of tokens, as llama.cpp numbers them."""

SPECIAL_IDS = ("bos", "eos", "padding", "unknown")
_SPECIAL = re.compile(r"<\|.*\|>")


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """What is needed to encode and decode text.

    Parameters
    ----------
    model
        As GGUF names it: ``"gpt2"`` for byte-level BPE, ``"llama"`` for SentencePiece.
    pre
        How text is split first, as llama.cpp names it: ``"qwen2"``; None where the file says nothing.
    tokens
        By id.
    types
        The kind of each token.
    merges
        Pairs, joined by a blank, in order of rank.
    scores
        One a token, for SentencePiece; otherwise empty.
    ids
        Ids of the tokens of `SPECIAL_IDS`, those that there are.
    add_bos
        Whether the first token of a text is the bos token; None where the file says nothing.
    chat_template
        A Jinja template; it is carried and never rendered.
    """

    model: str
    pre: str | None
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    ids: Mapping[str, int] = dataclasses.field(default_factory=dict)
    add_bos: bool | None = None
    chat_template: str | None = None


def gguf_vocabulary(metadata: Mapping[str, object], path: str) -> Vocabulary | None:
    """Read the vocabulary out of GGUF's keys; None where there is none.

    Raises
    ------
    LoadError
        A key has another type than GGUF gives it, or lengths or ids do not match.
    """
    return _read(
        metadata, "tokenizer.ggml.tokens", path, types="tokenizer.ggml.token_type",
        merges="tokenizer.ggml.merges", scores="tokenizer.ggml.scores", model="tokenizer.ggml.model",
        pre="tokenizer.ggml.pre", ids="tokenizer.ggml.{}_token_id", add_bos="tokenizer.ggml.add_bos_token",
        template="tokenizer.chat_template",
    )  # fmt: skip


def apr_vocabulary(metadata: Mapping[str, object], path: str) -> Vocabulary | None:
    """Read the vocabulary out of APR's keys; None where there is none.

    Older files do not say which tokens are special: those that look like ``<|…|>`` are.

    Raises
    ------
    LoadError
        A key has another type than it should, or lengths or ids do not match.
    """
    return _read(
        metadata, "tokenizer.vocabulary", path, types="tokenizer.token_types", merges="tokenizer.merges",
        scores="tokenizer.scores", model="tokenizer.model", pre="tokenizer.pre",
        ids="tokenizer.{}_token_id", add_bos="tokenizer.add_bos_token", template="chat_template",
    )  # fmt: skip


def _read(metadata: Mapping[str, object], key: str, path: str, **keys: str) -> Vocabulary | None:
    if metadata.get(key) is None:
        return None
    reader = _Reader(metadata, path)
    tokens = reader.items(key, str)
    types = reader.items(keys["types"], int)
    try:
        scores = tuple(float(score) for score in reader.items(keys["scores"], (int, float)))
    except OverflowError as error:  # JSON has integers of any length
        raise LoadError("has a score that is no small number", path) from error
    if not all(0 <= kind < 2**31 for kind in types) or not all(map(math.isfinite, scores)):
        raise LoadError("has token types or scores that are no small numbers", path)
    for what, found in (("token types", types), ("scores", scores)):
        if found and len(found) != len(tokens):
            raise LoadError(f"has {len(tokens)} tokens and {len(found)} {what}", path)
    ids = {name: reader.one(keys["ids"].format(name), int) for name in SPECIAL_IDS}
    model = reader.one(keys["model"], str) or "gpt2"
    found_ids = {name: value for name, value in ids.items() if value is not None}
    if outside := {name: value for name, value in found_ids.items() if not 0 <= value < len(tokens)}:
        raise LoadError(f"has {len(tokens)} tokens and special ids outside: {outside}", path)
    return Vocabulary(
        "gpt2" if model.upper() == "BPE" else model,
        reader.one(keys["pre"], str),
        tokens,
        types or tuple(CONTROL if _SPECIAL.fullmatch(token) else NORMAL for token in tokens),
        reader.items(keys["merges"], str),
        scores,
        found_ids,
        reader.one(keys["add_bos"], bool),
        reader.one(keys["template"], str),
    )


@dataclasses.dataclass(frozen=True)
class _Reader:
    """Metadata of somebody else's, whose types are not believed."""

    metadata: Mapping[str, object]
    path: str

    def one(self, key: str, kind: type) -> Any:
        value = self.metadata.get(key)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise LoadError(f"{key} is a {type(value).__name__} and should be a {kind.__name__}", self.path)
        return value

    def items(self, key: str, kind: type | tuple[type, ...]) -> tuple[Any, ...]:
        value = self.metadata.get(key)
        if value is None:
            return ()
        listed = isinstance(value, Sequence) and not isinstance(value, str)
        items = tuple(value) if isinstance(value, Sequence) and listed else ()
        truths = kind is not str and any(isinstance(item, bool) for item in items)  # which are int in Python
        if not listed or truths or not all(isinstance(item, kind) for item in items):
            raise LoadError(f"{key} is no array of the type that it should have", self.path)
        return items


def gguf_keys(vocabulary: Vocabulary) -> dict[str, object]:
    """Return GGUF's keys, with the types that llama.cpp asks for."""
    keys: dict[str, object] = {
        "tokenizer.ggml.model": vocabulary.model,
        "tokenizer.ggml.tokens": vocabulary.tokens,
        "tokenizer.ggml.token_type": vocabulary.types,
    }
    if vocabulary.pre is not None:
        keys["tokenizer.ggml.pre"] = vocabulary.pre
    if vocabulary.merges:
        keys["tokenizer.ggml.merges"] = vocabulary.merges
    if vocabulary.scores:
        keys["tokenizer.ggml.scores"] = Typed("FLOAT32", vocabulary.scores)
    keys.update({f"tokenizer.ggml.{name}_token_id": value for name, value in vocabulary.ids.items()})
    if vocabulary.add_bos is not None:
        keys["tokenizer.ggml.add_bos_token"] = vocabulary.add_bos
    if vocabulary.chat_template is not None:
        keys["tokenizer.chat_template"] = vocabulary.chat_template
    return keys


def apr_keys(vocabulary: Vocabulary) -> dict[str, object]:
    """Return APR's keys; those that older readers do not know are in the same name space."""
    keys: dict[str, object] = {
        "tokenizer.model": vocabulary.model,
        "tokenizer.vocabulary": vocabulary.tokens,
        "tokenizer.vocab_size": len(vocabulary.tokens),
        "tokenizer.token_types": vocabulary.types,
        "tokenizer.merges": vocabulary.merges,
        **{f"tokenizer.{name}_token_id": value for name, value in vocabulary.ids.items()},
    }
    if vocabulary.scores:
        keys["tokenizer.scores"] = vocabulary.scores
    if vocabulary.pre is not None:
        keys["tokenizer.pre"] = vocabulary.pre
    if vocabulary.add_bos is not None:
        keys["tokenizer.add_bos_token"] = vocabulary.add_bos
    if vocabulary.chat_template is not None:
        keys["chat_template"] = vocabulary.chat_template
    return keys
