"""The metadata of APR v2: one JSON object, under any of the spellings that writers have used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

from pv_runtime.errors import LoadError
from pv_runtime.formats.strict_json import finite, require_shallow

__all__ = ["ALIASES", "parse_metadata", "serialised", "stated"]

ALIASES: dict[str, tuple[str, ...]] = {
    "hidden_size": ("hidden_dim", "d_model", "n_embd"),
    "num_layers": ("num_hidden_layers", "n_layers", "n_layer"),
    "num_heads": ("num_attention_heads", "n_heads", "n_head"),
    "num_kv_heads": ("num_key_value_heads", "n_kv_heads"),
    "vocab_size": ("n_vocab",),
    "intermediate_size": ("ffn_dim", "intermediate_dim", "n_inner"),
    "max_position_embeddings": ("max_seq_len", "context_length", "n_ctx"),
    "rms_norm_eps": ("layer_norm_eps", "norm_eps"),
}
"""APR's own key to the others under which the same is found."""

_MAX_VALUES = 1 << 22
"""Several times those of the largest vocabulary with its merges: the memory that hostile JSON may cost."""


def stated(metadata: Mapping[str, object], key: str) -> Any:
    """Return what the metadata say under `key` or one of its aliases; None where they say nothing."""
    found = (metadata.get(name) for name in (key, *ALIASES.get(key, ())))
    return next((value for value in found if value is not None), None)


def parse_metadata(text: bytes, path: str) -> tuple[dict[str, object], tuple[str, ...]]:
    """Parse the JSON object; of a key that occurs twice the last one counts, as old writers meant it.

    Returns
    -------
    tuple[dict[str, object], tuple[str, ...]]
        The object, and the keys that occurred twice.

    Raises
    ------
    LoadError
        It is no JSON object in UTF-8, holds NaN or an infinity, or is nested too deeply.
    """
    values = sum(text.count(sign) for sign in (b",", b"[", b"{"))
    if values > _MAX_VALUES:
        raise LoadError(f"the metadata hold some {values} values; more than {_MAX_VALUES} are refused", path)
    repeated: list[str] = []

    def last_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return found

    def refuse(constant: str) -> NoReturn:
        raise LoadError(f"the metadata hold {constant}, which is no number", path)

    try:
        parsed = json.loads(
            str(text, "utf-8"), object_pairs_hook=last_wins, parse_constant=refuse, parse_float=finite
        )
    except RecursionError as error:
        raise LoadError("the metadata are nested too deeply", path) from error
    except ValueError as error:  # bad UTF-8, bad JSON, an integer of thousands of digits
        raise LoadError(f"the metadata are no JSON: {error}", path) from error
    if not isinstance(parsed, dict):
        raise LoadError("the metadata are no JSON object", path)
    require_shallow(parsed, path)
    if b"\\u" in text or b"\\U" in text:
        _refuse_half_pairs(parsed, path)
    return parsed, tuple(sorted(set(repeated)))


def _refuse_half_pairs(parsed: dict[str, object], path: str) -> None:
    """Refuse text that JSON's escapes can spell and no encoding can write out again."""
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise LoadError("the metadata hold half a surrogate pair", path) from error


def serialised(metadata: Mapping[str, object]) -> bytes:
    """Return the metadata as JSON with sorted keys: the same values give the same bytes.

    Raises
    ------
    ValueError
        A value is not finite or no JSON.
    """
    try:
        return json.dumps(
            metadata, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except TypeError as error:
        raise ValueError(f"the metadata cannot be written: {error}") from error
