"""Commands of apr over files whose names, keys, tensors and tokens are hostile texts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors

from tests.injection.payload import MARK, NAME, PAYLOAD, unsafe, unsafe_json

pytestmark = pytest.mark.injection
TEXTS = {"characters": PAYLOAD, "commands": f"::error::{MARK} ##[error]{MARK}"}
_BASE = NAME.replace("/", "")


def plant(root: Path, text: str) -> list[str]:
    """Write a file of each format, and broken ones; return their paths."""
    names = sorted([text[:14], "model.norm.weight", f"blk.0.{text[:14]}"])
    made = [from_values(name, (2, 32), lambda: np.ones((2, 32), np.float32), "F32") for name in names]
    tensors = [(each.info, each.raw) for each in made]
    tokens = [text, "a", "b", text + "x"]
    gguf, apr, folder = root / f"{_BASE}.gguf", root / f"{_BASE}.apr", root / "folder"
    write_gguf(
        str(gguf),
        tensors,
        {
            "general.architecture": text, "general.license": text, f"k{text}": text,
            "tokenizer.ggml.model": text,
            "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": [text], "tokenizer.chat_template": text,
        },
    )  # fmt: skip
    metadata = {"architecture": text, "license": text, f"k{text}": text, "tokenizer.vocabulary": tokens}
    write_apr(str(apr), tensors, metadata)
    folder.mkdir()
    write_safetensors(str(folder / "model.safetensors"), tensors, {"format": text, f"k{text}": text})
    tokenizer = {"model": {"type": text, "vocab": dict.fromkeys(tokens, 0)}, "pre_tokenizer": {"type": text}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "config.json").write_text(json.dumps({"model_type": text, "architectures": [text]}))
    (root / "index").mkdir()
    (root / "index" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {text: text}}))
    (root / "cut.gguf").write_bytes(gguf.read_bytes()[:400])
    (root / "trace").mkdir()
    (root / "trace" / "trace.json").write_text(json.dumps({"tokens": [1], "dtype": text, "model": text}))
    others = (root / "index", root / "cut.gguf", root / "trace", root / _BASE)
    return [str(path) for path in (gguf, apr, folder, *others)]


def commands(root: Path, paths: Sequence[str], text: str) -> list[list[str]]:
    said, out = text.replace("\0", ""), str(root / f"out{_BASE}.gguf")
    found = [["qa", paths[0], "--gates", said], ["inspect", paths[0], "--filter", said], [f"-{said}"], [said]]
    found += [["tokenize", "--tokenizer", paths[0], "-o", out, paths[1]], ["run", paths[0], "--prompt", said]]
    found += [["trace", paths[0]], ["diff", paths[0], paths[1], "--json", "--values"]]
    for path in paths:
        found += [["inspect", path, "--vocab", "--weights"], ["inspect", path, "--vocab", "--json"]]
        found += [["diff", path, paths[0], "--values"], ["stamp", path, "-o", out, "--license", said]]
        found += [
            ["export", path, "--format", "gguf", "-o", out],
            ["convert", path, "--quantize", "q8_0", "-o", out],
        ]
    return found


@pytest.mark.parametrize("kind", TEXTS)
def test_no_output_is_driven_by_what_a_file_says(kind: str, tmp_path: Path) -> None:
    paths = plant(tmp_path, TEXTS[kind])
    ran = {}
    for words in commands(tmp_path, paths, TEXTS[kind]):
        ended = subprocess.run(
            [sys.executable, "-m", "pv_runtime.cli", *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        ran[ascii(words)] = ended
        look = unsafe_json if "--json" in words and ended.stdout else unsafe
        assert look(ended.stdout) == [], ascii(words)
        assert unsafe(ended.stderr) == [], ascii(words)
        assert b"fault in apr" not in ended.stderr, (ascii(words), ended.stderr[-500:])
    assert sum(MARK.encode() in each.stdout + each.stderr for each in ran.values()) > len(ran) // 2
