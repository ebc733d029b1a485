from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime import cli

FOLDER = Path(__file__).resolve().parents[3] / "models/tiny-qwen2"
QUICK = ("--prompt-tokens", "8", "--new-tokens", "4", "--iterations", "3", "--threads", "1")


def test_prompt_and_further_tokens_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", str(FOLDER), *QUICK]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["parity", "prefill", "decode", "moved"]
    assert "median of 3 times 8 tokens (float32, cpu, 1 threads)" in lines[1]
    assert "median of 3 times 3 tokens" in lines[2]


def test_the_report_has_the_samples(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", str(FOLDER), *QUICK, "--json", "--assert-tps", "0.001"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["passed"]
    assert report["parity"]["holds"]
    assert report["parity"]["positions"] == 32
    assert len(report["prefill"]["seconds"]) == len(report["decode"]["tokens_per_second"]) == 3
    assert len(report["decode"]["token_seconds"]) == 9
    assert report["bytes_per_second"] == pytest.approx(
        report["bytes_per_token"] * report["decode"]["median_tokens_per_second"]
    )


def test_below_the_floor_is_rejected_with_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", str(FOLDER), *QUICK, "--assert-tps", "1e12", "--json"]) == 1
    said = capsys.readouterr()
    assert not json.loads(said.out)["passed"]
    assert "1e+12 were asked for" in said.err


def test_no_speed_without_parity(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        vars(__import__("pv_runtime.cache_parity", fromlist=["x"]))["TOLERANCE"], torch.float32, 0.0
    )
    assert cli.main(["bench", str(FOLDER), *QUICK]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: no speed is given: ")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--threads", "0"], 2),
        (["--assert-tps", "nan"], 2),
        (["--assert-tps", "0"], 2),
        (["--new-tokens", "1"], 2),
        (["--prompt-tokens", "0"], 2),
        (["--iterations", "0"], 2),
        (["--warmup", "-1"], 2),
        (["--threads", "99999999999"], 2),
        (["--prompt-tokens", "600"], 1),
    ],
)
def test_what_cannot_be_measured_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    assert cli.main(["bench", str(FOLDER), *words]) == code
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_declined(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", str(FOLDER), "--device", "cuda"]) == 3
    assert "there is no GPU here" in capsys.readouterr().err


def test_what_it_computes_in_and_by_is_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--dtype", "bfloat16", "--backend", "reference", "--json"]
    assert cli.main(["bench", str(FOLDER), *QUICK, *words]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["dtype"], report["backend"]) == ("bfloat16", "reference")
    assert report["bytes_per_token"] < 12e6  # two bytes a weight, of five million
