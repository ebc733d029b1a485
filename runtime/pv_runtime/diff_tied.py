"""A head that one file ties to its embedding, beside another file that has it written out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from pv_runtime.formats import Checkpoint, LazyTensor

__all__ = ["stated_tie", "with_tied_head"]

_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"
_CONFIGS = ("config", "pv.config")


def stated_tie(model: Checkpoint) -> bool | None:
    """Return whether a file says that its head is the embedding; None where it does not say."""
    stated = model.metadata.get("tie_word_embeddings")
    for key in _CONFIGS:
        config = model.metadata.get(key)
        if isinstance(config, str):
            try:
                config = json.loads(config)
            except (ValueError, RecursionError):  # somebody's text, which is no config
                continue
        if stated is None and isinstance(config, Mapping):
            stated = config.get("tie_word_embeddings")
    return stated if isinstance(stated, bool) else None


def with_tied_head(
    model: Checkpoint, side: dict[str, LazyTensor], other_model: Checkpoint, other: Mapping[str, LazyTensor]
) -> bool:
    """Add to `side` its embedding as the head, where `model` ties the two and only `other` has a head.

    A GGUF file without ``output.weight`` is tied, as llama.cpp takes it, unless the other file says that
    there is a head of its own. In other formats only what says that it is tied is.
    """
    if _HEAD in side or _HEAD not in other or _EMBEDDING not in side:
        return False
    tied = stated_tie(model)
    if tied is None:
        tied = model.format == "gguf" and stated_tie(other_model) is not False
    if tied:
        embedding = side[_EMBEDDING]
        side[_HEAD] = LazyTensor(dataclasses.replace(embedding.info, name=_HEAD), embedding.raw)
    return tied
