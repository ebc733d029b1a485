"""The ``beat`` block of a benchmark contract: whom it claims to beat, at what, and which gate holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv.contract import Contract

__all__ = ["COMPUTE", "DIRECTIONS", "INCUMBENTS", "beat_of", "text_of"]

INCUMBENTS = ("scikit-learn", "pytorch", "unsloth", "ollama", "llama.cpp")
"""One of these must stand in the name of the incumbent, in any case."""
DIRECTIONS = ("higher_is_better", "lower_is_better")
COMPUTE = ("CPU", "GPU")


def beat_of(contract: Contract) -> Mapping[str, Any] | None:
    """Return the block; None where `contract` is no benchmark, or has none."""
    return contract.document.value.get("beat") if contract.kind == "beat-benchmark" else None


def text_of(block: Mapping[str, Any], key: str) -> str:
    """Return the text under `key`, without blanks around it; empty where there is none."""
    value = block.get(key)
    return value.strip() if isinstance(value, str) else ""
