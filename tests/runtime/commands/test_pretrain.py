from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pv_runtime import cli

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/how-to/train-from-a-checkpoint.md"
MADE_UP = (
    "--synthetic",
    "--architecture",
    str(ROOT / "models/tiny-qwen2-7to1"),
    "--device",
    "cpu",
    "--threads",
    "1",
)


def test_the_report_is_alone_on_standard_output_and_every_key_is_documented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("pretrain", *MADE_UP, "--run-dir", str(tmp_path / "run"), "--num-steps", "2", "--json")
    assert cli.main([*line, "--seq-length", "8", "--batch-size", "1", "--val-windows", "2"]) == 0
    report = json.loads(capsys.readouterr().out)
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    tables = re.findall(r"(?:^\| `\w+` \|.*\n)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    documented = [re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) for table in tables]
    assert documented == [list(report), list(dict.fromkeys(key for line in lines[1:] for key in line))]
    assert [each["kind"] for each in lines] == ["validation", "step", "step", "validation"]


def test_a_run_needs_a_folder_and_says_which_options_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pretrain", *MADE_UP]) == 2
    assert "--run-dir" in capsys.readouterr().err
    assert cli.main(["pretrain", "--help"]) == 0
    said = capsys.readouterr().out
    for option in ("--init", "--mode", "--resume", "--val-shard", "--synthetic", "--device"):
        assert option in said


def test_a_gpu_that_is_not_there_is_refused_before_torch_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    line = ["pretrain", "--synthetic", "--run-dir", str(tmp_path / "run"), "--device", "cuda"]
    assert cli.main(line) == 1
    assert "FALSIFY-GPUTRAIN-002" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
