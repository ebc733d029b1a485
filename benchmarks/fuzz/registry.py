"""The formats that are fuzzed, by name."""

from __future__ import annotations

import importlib

from benchmarks.fuzz.formats.apr import APR
from benchmarks.fuzz.formats.documents import CONFIG, CONTRACT, WAIVERS
from benchmarks.fuzz.formats.evidence import EVIDENCE
from benchmarks.fuzz.formats.gguf import GGUF
from benchmarks.fuzz.formats.safetensors import INDEX, SAFETENSORS
from benchmarks.fuzz.formats.tokenizers import TOKENIZER
from benchmarks.fuzz.formats.traces import APRT, NPY, SHARD, TRACE_JSON
from benchmarks.fuzz.target import Target

__all__ = ["TARGETS", "target_of"]

TARGETS: dict[str, Target] = {
    "contract": CONTRACT,
    "waivers": WAIVERS,
    "pv.toml": CONFIG,
    "evidence": EVIDENCE,
    "safetensors": SAFETENSORS,
    "index.json": INDEX,
    "gguf": GGUF,
    "apr": APR,
    "tokenizer.json": TOKENIZER,
    "trace.json": TRACE_JSON,
    "aprt": APRT,
    "npy": NPY,
    "shard": SHARD,
}


def target_of(name: str) -> Target:
    """Return the target of a format, or one of another module: ``package.module:NAME``."""
    module, _, attribute = name.partition(":")
    if not attribute:
        return TARGETS[name]
    found = getattr(importlib.import_module(module), attribute)
    assert isinstance(found, Target)  # noqa: S101 - so is what is named
    return found
