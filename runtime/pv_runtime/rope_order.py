"""In which of the two orders of `rope_rows` a file's format says that query and key rows lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pv_runtime.formats.apr_metadata import stated
from pv_runtime.formats.checkpoint import Checkpoint
from pv_runtime.summary import architecture

__all__ = ["INTERLEAVED", "SEPARATE", "heads_of", "rope_order"]

INTERLEAVED, SEPARATE = "interleaved", "separate"
_MAX_HEADS = 1 << 16


def rope_order(model: Checkpoint) -> str | None:
    """Return `INTERLEAVED`, as GGUF has it for `llama`, `SEPARATE`, as Hugging Face has it, or None.

    None is where the file does not say, or is of an architecture for which it is not known here.
    """
    if model.format == "safetensors":
        return SEPARATE
    kind = _short(architecture(model.metadata))
    if model.format == "gguf":
        return {"llama": INTERLEAVED, "qwen2": SEPARATE}.get(kind)
    order = model.metadata.get("rope_type")
    if kind == "llama":
        return {0: INTERLEAVED, 2: SEPARATE}.get(order) if type(order) is int else None
    return SEPARATE if kind == "qwen2" else None


def _short(kind: str | None) -> str:
    return (kind or "").lower().removesuffix("forcausallm")


def heads_of(model: Checkpoint) -> tuple[int, int] | None:
    """Return how many query and key heads a file states; None where it states none, or no numbers."""
    metadata = model.metadata
    if model.format == "gguf":
        kind = architecture(metadata)
        found = (
            metadata.get(f"{kind}.attention.head_count"),
            metadata.get(f"{kind}.attention.head_count_kv"),
        )
    elif model.format == "apr":
        found = stated(metadata, "num_heads"), stated(metadata, "num_kv_heads")
    else:
        config = _config(metadata.get("config"))
        found = config.get("num_attention_heads"), config.get("num_key_value_heads")
    heads, kv_heads = found[0], found[1] if found[1] is not None else found[0]
    if type(heads) is not int or type(kv_heads) is not int:
        return None
    return (heads, kv_heads) if 0 < heads < _MAX_HEADS and 0 < kv_heads < _MAX_HEADS else None


def _config(value: object) -> Mapping[str, Any]:
    """Return the config, which a file that is alone carries as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):  # somebody's text, which is no config
            return {}
    return value if isinstance(value, Mapping) else {}
