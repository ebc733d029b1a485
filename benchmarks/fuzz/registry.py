"""The formats that are fuzzed, by name. A child imports only its own: to import all takes seconds."""

from __future__ import annotations

import importlib

from benchmarks.fuzz.target import Target

__all__ = ["FORMATS", "target_of"]

FORMATS = {
    "contract": "documents:CONTRACT",
    "waivers": "documents:WAIVERS",
    "pv.toml": "documents:CONFIG",
    "evidence": "evidence:EVIDENCE",
    "safetensors": "safetensors:SAFETENSORS",
    "index.json": "safetensors:INDEX",
    "gguf": "gguf:GGUF",
    "apr": "apr:APR",
    "tokenizer.json": "tokenizers:TOKENIZER",
    "trace.json": "traces:TRACE_JSON",
    "aprt": "traces:APRT",
    "npy": "traces:NPY",
    "shard": "traces:SHARD",
}
"""Name → module of `benchmarks.fuzz.formats`, and the target there."""


def target_of(name: str) -> Target:
    """Return the target of a format, or one of another module: ``package.module:NAME``."""
    place = f"benchmarks.fuzz.formats.{FORMATS[name]}" if name in FORMATS else name
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    assert isinstance(found, Target)  # noqa: S101 - so is what is named
    return found
