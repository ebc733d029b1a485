from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from pv_runtime import build, cli
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values


def test_json_says_what_the_header_says(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(model_folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == [
        "schema_version", "format", "path", "architecture", "tensor_count", "total_params",
        "tensor_bytes", "dtypes", "metadata", "tensors",
    ]  # fmt: skip
    assert (report["format"], report["architecture"]) == ("safetensors", "qwen2")
    assert report["tensor_count"] == len(report["tensors"]) == 26
    assert report["total_params"] * 2 == report["tensor_bytes"]
    assert report["dtypes"] == {"F16": 26}
    assert report["metadata"]["config"]["hidden_size"] == 256
    first = report["tensors"][0]
    assert first == {"name": "model.embed_tokens.weight", "dtype": "F16", "shape": [96, 256], "bytes": 49152}


def test_text_has_a_line_a_tensor(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.quantised_gguf(str(model_folder), str(tmp_path / "q.gguf"), scheme="q4_k")
    assert cli.main(["inspect", str(tmp_path / "q.gguf")]) == 0
    out = capsys.readouterr().out
    assert "26 (11 F32, 15 Q4_K)" in out
    assert "architecture  qwen2" in out
    assert sum(line.startswith("  model.") for line in out.splitlines()) == 26


def test_what_json_or_a_terminal_cannot_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "x.gguf")
    tensor = from_values("\x1b[31mred", (2,), lambda: np.zeros(2, np.float32), "F32")
    metadata = {"nan": math.nan, "long": list(range(100)), "short": ["a"], "\x1b[2J": "\x07"}
    write_gguf(path, [(tensor.info, tensor.raw)], metadata)
    assert cli.main(["inspect", path, "--format", "json"]) == 0
    out = capsys.readouterr().out
    report = json.loads(out)
    assert report["metadata"]["nan"] == "nan"
    assert report["metadata"]["long"] == {"length": 100, "first": [0, 1, 2, 3, 4, 5, 6, 7]}
    assert report["metadata"]["short"] == ["a"]
    assert report["architecture"] is None
    assert cli.main(["inspect", path]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in out + text
    assert "\x07" not in out + text
    assert r"\x1b[31mred" in text
