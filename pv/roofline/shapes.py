"""What a token costs a model at least: from the sizes of its files and its configuration; no weight is read.

Everything is a lower bound, so that a ceiling made of it is a ceiling: a table of embeddings of which a
token reads one row is left out, and of mixtures of experts, of which a token reads a part, nothing is said.
The keys are those of https://huggingface.co/docs/transformers/main_classes/configuration.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv.config import Config
from pv.regular_file import read_regular_file
from pv.roofline.arithmetic import key_value_bytes, weight_bytes

__all__ = ["Shape", "UnknownShapeError", "shape_of"]

_WEIGHTS = (".safetensors", ".gguf", ".apr", ".bin")
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size")
_HALF = ("float16", "bfloat16")
_MOST_BYTES = 1 << 20


class UnknownShapeError(Exception):
    """What a token costs is not known; the message says why."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a token reads and computes with at least: `weights` bytes, and `parameters`."""

    weights: float
    parameters: float
    source: str
    layers: int = 0
    kv_heads: int = 0
    head_dim: int = 0

    @classmethod
    def stated(cls, parameters: float, bits: float, *, layers: int, kv_heads: int, head_dim: int) -> Shape:
        """Return the shape that somebody states: every parameter is read, at `bits` each."""
        source = f"{parameters:.4g} parameters of {bits:g} bits, as stated"
        return cls(weight_bytes(parameters, bits), parameters, source, layers, kv_heads, head_dim)

    def cache(self, context: int, bits: float) -> float:
        """Return the bytes of keys and values that a step reads at `context` positions."""
        return key_value_bytes(
            layers=self.layers, kv_heads=self.kv_heads, head_dim=self.head_dim, context=context, bits=bits
        )


def shape_of(subject: str, config: Config) -> Shape:
    """Return the shape of the subject that ``pv.toml`` names.

    Raises
    ------
    UnknownShapeError
        It is not named or not here, has no configuration beside it, or is no dense model.
    """
    spec = config.subjects.get(subject)
    if spec is None or spec.builder or "://" in spec.path:
        raise UnknownShapeError(f"{subject} is no file here")
    path = config.root / spec.path
    folder = path if path.is_dir() else path.parent
    files = [folder / name for name in spec.files] if path.is_dir() and spec.files else []
    if path.is_file():
        files = [path]
    elif path.is_dir() and not files:
        files = sorted(path.iterdir())
    weights = [one for one in files if one.suffix in _WEIGHTS and one.is_file()]
    if not weights:
        raise UnknownShapeError(f"{subject} is not here")
    stated = _configuration(folder / "config.json", subject)
    size = sum(one.stat().st_size for one in weights)
    half = all(one.suffix == ".safetensors" for one in weights) and stated.get("torch_dtype") in _HALF
    bits = 16 if half else 32
    table = _count(stated, "vocab_size") * _count(stated, "hidden_size")
    tied = stated.get("tie_word_embeddings") is True
    read = size - (0 if tied else table * bits // 8)
    if read <= 0:
        raise UnknownShapeError(f"of {subject}, the configuration does not fit the files")
    heads = _count(stated, "num_attention_heads")
    return Shape(
        read,
        read * 8 / bits,
        f"{subject}: {size:,} bytes, {'a tied' if tied else 'without its'} table of embeddings",
        layers=_count(stated, "num_hidden_layers"),
        kv_heads=_count(stated, "num_key_value_heads", heads),
        head_dim=_count(stated, "head_dim", _count(stated, "hidden_size") // heads if heads else 0),
    )


def _configuration(path: Path, subject: str) -> Mapping[str, Any]:
    try:
        data = read_regular_file(path)
        stated = json.loads(data) if len(data) <= _MOST_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise UnknownShapeError(f"{subject} has no config.json beside it that can be read") from error
    if not isinstance(stated, dict) or any(stated.get(key) for key in _EXPERTS):
        raise UnknownShapeError(f"{subject} is no dense model: how much a token reads is not known")
    return stated


def _count(stated: Mapping[str, Any], key: str, otherwise: int = 0) -> int:
    value = stated.get(key)
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31
        else otherwise
    )
