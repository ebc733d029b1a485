"""The two programs that a page shows for bringing in foreign traces do what it says of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime import cli
from pv_runtime.formats import open_checkpoint
from pv_runtime.model import Decoder
from pv_runtime.saved_trace import SavedTrace
from pv_runtime.stages import LAYER_STAGES
from pv_runtime.trace import chosen, trace
from pv_runtime.trace_compare import compare_traces
from pv_runtime.trace_file import SAVED, open_trace
from pv_runtime.trace_origin import TraceOrigin
from pv_runtime.trace_writer import safetensors_file
from pv_runtime.weights import load_weights

ROOT = Path(__file__).parents[2]
TOKENS = (453, 286, 1588, 1930)
Blocks = Callable[[Path], list[Any]]


def program(blocks_of: Blocks, name: str, *arguments: object) -> None:
    (text,) = [b.text for b in blocks_of(ROOT / "docs/how-to/trace-a-model.md") if b.name == name]
    command = [sys.executable, "-c", text, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def ours(model: Path, folder: Path) -> SavedTrace:
    decoder = Decoder(load_weights(open_checkpoint(model)))
    kept = chosen(decoder.architecture)
    origin = TraceOrigin(TOKENS, dtype="float32")
    with safetensors_file(str(folder / SAVED), origin, kept, torch.float32) as keep:
        trace(decoder, TOKENS, measured=(), kept=kept, keep=keep)
    return open_trace(str(folder / SAVED))


@pytest.mark.oracle
def test_transformers(tmp_path: Path, blocks_of: Blocks) -> None:
    model = ROOT / "models/tiny-qwen2"
    program(blocks_of, "trace_transformers.py", model, ",".join(map(str, TOKENS)), tmp_path / "theirs")
    compared = compare_traces(ours(model, tmp_path), open_trace(str(tmp_path / "theirs")))
    assert len(compared.stages) == 3 + 5 * 11
    assert not compared.only_b
    for each in compared.stages:
        assert each.within(1e-5), each


@pytest.mark.oracle
def test_llama_cpp(tmp_path: Path, blocks_of: Blocks) -> None:
    # Of float16 weights: products with them round activations to float16, and with blocks to 8 bits.
    model = ROOT / "models/tiny-qwen2"
    gguf = tmp_path / "model.gguf"
    assert cli.main(["export", str(model), "--format", "gguf", "-o", str(gguf)]) == 0
    program(blocks_of, "trace_llama_cpp.py", gguf, ",".join(map(str, TOKENS)), tmp_path / "theirs")
    compared = compare_traces(ours(model, tmp_path), open_trace(str(tmp_path / "theirs")))
    assert len(compared.stages) == 2 + 5 * 9
    assert not compared.only_b
    hidden = {stage for stage, _ in compared.only_a}
    assert hidden == {
        "embedding",
        "qkv_matmul",
        "qkv_bias",
        "q_post_rope",
        "k_post_rope",
        "attn_out",
        "ffn_silu",
    }
    assert hidden < {*LAYER_STAGES, "embedding"}
    for each in compared.stages:
        assert each.within(2e-3), each
