"""A model's tensors as Hugging Face lays them out, whichever format holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint
from pv_runtime.fused import with_split_projections
from pv_runtime.rope_rows import separate, with_rows

__all__ = ["canonical"]


def canonical(model: Checkpoint, config: Mapping[str, Any]) -> Checkpoint:
    """View `model` with query, key and value projections apart, and their rows in Hugging Face's order.

    `config` is what `config_of` says of the model. Nothing is read before a tensor is asked for.

    Raises
    ------
    LoadError
        A llama in APR does not say in which order its rows lie.
    """
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    view = with_split_projections(model, heads, kv_heads)
    if config["model_type"] != "llama" or model.format == "safetensors":
        return view
    if model.format == "apr":
        order = model.metadata.get("rope_type")
        if order == 2:
            return view
        if order != 0:
            raise LoadError(
                "is a llama whose metadata do not say (rope_type) if its query and key rows are interleaved",
                model.path,
            )
    return with_rows(view, separate, heads, kv_heads)
