"""The formats that are fuzzed, by name."""

from __future__ import annotations

from benchmarks.fuzz.formats.apr import APR
from benchmarks.fuzz.formats.documents import CONFIG, CONTRACT, WAIVERS
from benchmarks.fuzz.formats.evidence import EVIDENCE
from benchmarks.fuzz.formats.gguf import GGUF
from benchmarks.fuzz.formats.safetensors import INDEX, SAFETENSORS
from benchmarks.fuzz.formats.tokenizers import TOKENIZER
from benchmarks.fuzz.formats.traces import APRT, NPY, SHARD, TRACE_JSON
from benchmarks.fuzz.target import Target

__all__ = ["TARGETS"]

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
