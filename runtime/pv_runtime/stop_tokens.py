"""Which tokens end a text, as whoever made the model says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv_runtime.carried import HUGGING_FACE, carried_of
from pv_runtime.config import config_of
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint
from pv_runtime.tokenizer import Tokenizer
from pv_runtime.tokenizer_files import read_json

__all__ = ["stop_tokens"]

_FILE = "generation_config.json"
_GGUF = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")
_ENDS = ("<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "</s>")
"""Spellings that end a turn wherever they are special tokens, for files that state a single id at most.

A GGUF file has one eos id, and models trained for conversations end in two ways; llama.cpp goes by the
spelling, too.
"""


def stop_tokens(model: Checkpoint, tokenizer: Tokenizer | None, folder: Path | None = None) -> frozenset[int]:
    """Return the ids of the tokens that end a text; none if nothing says so.

    generation_config.json decides where there is one, in the folder or carried in the file. Otherwise it
    is what config.json, the file's own keys and the tokenizer name.

    Raises
    ------
    LoadError
        What is stated is no list of ids.
    """
    config = config_of(model)
    if stated := _ids(_generation_config(model, config, folder).get("eos_token_id"), model.path):
        return stated
    found = _ids(config.get("eos_token_id"), model.path)
    if model.format == "gguf":
        found = found.union(*(_ids(model.metadata.get(key), model.path) for key in _GGUF))
    if tokenizer is not None:
        spelt = [token for token in _ENDS if tokenizer.id_of(token) in tokenizer.special_ids]
        spelt += [tokenizer.special["eos_token"]] if "eos_token" in tokenizer.special else []
        found |= {number for token in spelt if (number := tokenizer.id_of(token)) is not None}
    return found


def _generation_config(model: Checkpoint, config: dict[str, Any], folder: Path | None) -> Mapping[str, Any]:
    if folder is not None and (folder / _FILE).is_file():
        return read_json(folder / _FILE)
    found = carried_of(model, config, None).elsewhere.get(HUGGING_FACE, {}).get(_FILE)
    return found if isinstance(found, Mapping) else {}


def _ids(stated: object, path: str) -> frozenset[int]:
    listed = [] if stated is None else stated if isinstance(stated, list) else [stated]
    if not all(type(number) is int and number >= 0 for number in listed):
        raise LoadError(f"says that texts end with {stated!r}, which are no token ids", path)
    return frozenset(listed)
