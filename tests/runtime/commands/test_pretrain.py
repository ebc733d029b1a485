from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pv_runtime import cli
from pv_runtime.formats import open_checkpoint

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


@pytest.fixture
def torch_as_it_was() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("torch_as_it_was")
def test_every_setting_is_the_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {
        "--accumulate": 2, "--warmup-steps": 1, "--weight-decay": 0.1, "--clip": 0.5, "--seed": 7,
        "--target-val-loss": 0.001, "--patience": 9, "--keep": 1,
    }  # fmt: skip
    line = ["pretrain", *MADE_UP, "--run-dir", str(tmp_path / "run"), "--num-steps", "2", "--save-every", "1"]
    line += ["--seq-length", "8", "--batch-size", "1", "--val-windows", "2", "--deterministic", "--json"]
    assert cli.main([*line, *(str(word) for pair in asked.items() for word in pair)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {name: report["settings"][name[2:].replace("-", "_")] for name in asked} == asked
    assert report["settings"]["deterministic"]
    assert torch.are_deterministic_algorithms_enabled()
    assert report["tokens_seen"] == 2 * 2 * 8
    assert len(list((tmp_path / "run/checkpoints").glob("step-*"))) == 1


@pytest.mark.usefixtures("torch_as_it_was")
def test_rows_of_the_embedding_are_those_that_were_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["pretrain", *MADE_UP, "--run-dir", str(tmp_path / "run"), "--num-steps", "0", "--json"]
    assert cli.main([*line, "--vocab-size", "640", "--seq-length", "8", "--val-windows", "2"]) == 0
    checkpoint = open_checkpoint(json.loads(capsys.readouterr().out)["checkpoint"])
    assert checkpoint.info("model.embed_tokens.weight").shape[0] == 640


@pytest.mark.parametrize("words", [["--dtype", "bfloat16"], ["--compile"]])
def test_what_is_of_a_gpu_is_refused_on_a_processor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert cli.main(["pretrain", *MADE_UP, "--run-dir", str(tmp_path / "run"), *words]) == 2
    assert f"{words[0]} is of a GPU" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
