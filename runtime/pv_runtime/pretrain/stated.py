"""The fields of an architecture that a file states, without any that would follow from others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pv_runtime.config import APR_KEYS, GGUF_KEYS, carried_config, parameter
from pv_runtime.formats import Checkpoint
from pv_runtime.formats.apr_metadata import stated as apr_stated

__all__ = ["FIELDS", "head_is_embedding", "stated_family", "stated_fields", "stated_head_dim"]

FIELDS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "max_position_embeddings",
    "rope_theta",
    "rms_norm_eps",
    "tie_word_embeddings",
)
"""By config.json's names; whoever reads an init guesses none of them. The family comes before them all."""


def stated_family(model: Checkpoint) -> str | None:
    """Return ``"qwen2"``, ``"llama"``, or whatever else the file says; None where it says nothing."""
    found = carried_config(model).get("model_type")
    if found is None and model.format == "gguf":
        found = model.metadata.get("general.architecture")
    if found is None and model.format == "apr":
        found = model.metadata.get("hf_model_type") or model.metadata.get("architecture")
    return found.lower().removesuffix("forcausallm") if isinstance(found, str) else None


def stated_fields(model: Checkpoint) -> dict[str, Any]:
    """Return each of `FIELDS` as the file states it, None where it does not.

    A GGUF file states the vocabulary by its tokenizer's tokens where it has no key for it. GGUF, and APR
    files without a key for it, state that a head is tied by having none, or one of the embedding's bytes.
    """
    carried = carried_config(model)
    native = {"gguf": _gguf, "apr": _apr}.get(model.format, _nothing)(model)
    found = {field: native.get(field) for field in FIELDS}
    for field in FIELDS:
        if found[field] is None:
            found[field] = parameter(carried, field)
    if found["tie_word_embeddings"] is None and model.format in {"gguf", "apr"}:
        found["tie_word_embeddings"] = head_is_embedding(model)
    return found


def stated_head_dim(model: Checkpoint) -> int | None:
    """Return how wide a head is where the file says so; None where that follows from other fields."""
    found = carried_config(model).get("head_dim")
    if found is None and model.format == "gguf":
        found = model.metadata.get(f"{model.metadata.get('general.architecture')}.attention.key_length")
    return found if type(found) is int and found > 0 else None


def head_is_embedding(model: Checkpoint) -> bool:
    """Whether the tensors have one matrix for embedding and head: no head, or one of the same bytes."""
    embedding, head = "model.embed_tokens.weight", "lm_head.weight"
    names = set(model.names())
    if not {embedding, head} <= names:
        return head not in names
    one, other = model.info(embedding), model.info(head)
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return np.array_equal(model.raw(embedding), model.raw(head))


def _nothing(_: Checkpoint) -> Mapping[str, Any]:
    return {}


def _gguf(model: Checkpoint) -> Mapping[str, Any]:
    prefix = f"{model.metadata.get('general.architecture')}."
    found = {field: model.metadata.get(prefix + key) for field, key in GGUF_KEYS.items()}
    tokens = model.metadata.get("tokenizer.ggml.tokens")
    count = len(tokens) if hasattr(tokens, "__len__") else None
    found["vocab_size"] = model.metadata.get(prefix + "vocab_size", count)
    return found


def _apr(model: Checkpoint) -> Mapping[str, Any]:
    found = {field: apr_stated(model.metadata, key) for field, key in APR_KEYS.items()}
    found["tie_word_embeddings"] = model.metadata.get("tie_word_embeddings")
    return found
