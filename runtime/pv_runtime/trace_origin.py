"""On what a trace was made: without it, two traces cannot be held against each other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from pv_runtime.errors import LoadError
from pv_runtime.formats.strict_json import parse_object

__all__ = ["FORMAT", "TraceOrigin", "origin_from", "origin_text"]

FORMAT = "pv-trace"
"""What a file's metadata say under ``format``."""
_DTYPES = ("float32", "bfloat16", "float16", "float64")
_MAX_TOKENS = 1 << 24


@dataclasses.dataclass(frozen=True)
class TraceOrigin:
    """What a trace was made of.

    Parameters
    ----------
    tokens
        Ids of the prompt.
    positions
        Of which of them values were kept, counted from 0, rising; all of them by default.
    dtype
        In which values were computed: ``"float32"``, ``"bfloat16"``, ``"float16"``, or None if unknown.
    model, model_sha256
        Name of the model's file, and its digest, where they are known.
    made_by
        The program and its version.
    """

    tokens: tuple[int, ...]
    positions: tuple[int, ...] = ()
    dtype: str | None = None
    model: str | None = None
    model_sha256: str | None = None
    made_by: str | None = None

    def __post_init__(self) -> None:
        if not self.positions:
            object.__setattr__(self, "positions", tuple(range(len(self.tokens))))


def origin_text(origin: TraceOrigin) -> dict[str, str]:
    """Return the origin as texts, as safetensors keeps metadata and ``trace.json`` writes them."""
    found = {"format": FORMAT, "version": "1", "tokens": _list(origin.tokens)}
    if origin.positions != tuple(range(len(origin.tokens))):
        found["positions"] = _list(origin.positions)
    for key in ("dtype", "model", "model_sha256", "made_by"):
        if (value := getattr(origin, key)) is not None:
            found[key] = value
    return found


def _list(numbers: tuple[int, ...]) -> str:
    return json.dumps(numbers, separators=(",", ":"))


def origin_from(stated: Mapping[str, object], path: str) -> TraceOrigin:
    """Read what a trace says of itself; lists may be JSON arrays or texts of such.

    Raises
    ------
    LoadError
        The tokens are missing, or something stated is not what it should be.
    """
    version = stated.get("version", "1")
    if str(version) != "1":
        raise LoadError(f"is a trace of version {version!r}; read here is 1", path)
    if "tokens" not in stated:
        raise LoadError(
            "does not say on which tokens it was made",
            path,
            'values of other tokens are other values: state "tokens" in its metadata or its trace.json',
        )
    tokens = _numbers(stated["tokens"], "tokens", path)
    if not tokens:
        raise LoadError("is a trace of no tokens", path)
    positions = _numbers(stated["positions"], "positions", path) if "positions" in stated else ()
    if "positions" in stated and not positions:
        raise LoadError("is a trace of no positions", path)
    if list(positions) != sorted(set(positions)) or any(each >= len(tokens) for each in positions):
        raise LoadError(f"states positions that do not rise below {len(tokens)}, its count of tokens", path)
    dtype = _text(stated, "dtype", path)
    if dtype is not None and dtype not in _DTYPES:
        raise LoadError(f"states the dtype {dtype!r}; known are {', '.join(_DTYPES)}", path)
    texts = (_text(stated, key, path) for key in ("model", "model_sha256", "made_by"))
    return TraceOrigin(tokens, positions, dtype, *texts)


def _numbers(value: object, key: str, path: str) -> tuple[int, ...]:
    found: Any = value
    if isinstance(value, str):
        found = parse_object(f'{{"list":{value}}}'.encode(errors="replace"), path)["list"]
    if not isinstance(found, list) or len(found) > _MAX_TOKENS:
        raise LoadError(f"{key} is no list of numbers", path)
    if not all(type(each) is int and 0 <= each < 1 << 31 for each in found):
        raise LoadError(f"{key} holds something that is no number from 0", path)
    return tuple(found)


def _text(stated: Mapping[str, object], key: str, path: str) -> str | None:
    value = stated.get(key)
    if value is not None and not isinstance(value, str):
        raise LoadError(f"{key} is no text", path)
    return value
