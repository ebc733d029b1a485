from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pv_runtime import cli
from safetensors.numpy import load_file, save_file

MODELS = Path(__file__).resolve().parents[3] / "models"
MODEL, REFERENCE = str(MODELS / "tiny-qwen2-q4_k"), str(MODELS / "tiny-qwen2")
GOLDEN = ("--prompt", "class Foo:\n    def __init__(", "--expect", "self", "--plain", "--new-tokens", "8")
QUICK = (*GOLDEN, "--assert-tps", "0.001", "--iterations", "1", "--threads", "1")
TEXT = ("--text", str(MODELS / "heldout.txt"), "--text-tokens", "300")


def reported(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> dict[str, Any]:
    assert cli.main(["qa", *words, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_required_gates_that_are_declined_are_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    report = reported(capsys, 3, MODEL, "--reference", REFERENCE, *QUICK, *TEXT)
    assert report["outcome"] == "declined"
    assert report["gates_failed"] == []
    assert len(report["gates_registered"]) == 12
    assert len(report["gates_executed"]) + len(report["gates_declined"]) == 12
    assert {"ollama_parity", "ptx_parity"} <= set(report["gates_declined"])
    assert report["distance"]["tokens"] == 300
    assert 0 < report["distance"]["mean_divergence"] < 0.1
    assert report["distance"]["same_top"] > 0.8


def test_they_may_be_let_pass_and_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    words = [MODEL, "--gates", "tensor_contract,metadata_plausibility", "--allow-declined"]
    assert cli.main(["qa", *words]) == 0
    said = capsys.readouterr()
    assert "10 gates were declined" in said.err
    assert said.out.splitlines()[-1] == "declined: 2 passed, 0 failed, 10 declined"
    assert cli.main(["qa", MODEL, "--gates", "classifier_head", "--allow-declined"]) == 3


def test_a_gate_that_fails_is_a_rejection(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        cli.main(["qa", REFERENCE, *QUICK, "--expect", "x", "--assert-tps", "1e12", "--allow-declined"]) == 1
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("failed   ")] == ["throughput"]
    assert lines[-1].startswith("failed: ")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--max-divergence", "1e-9"], "the mean divergence is"),
        (["--min-same-top", "1"], "the same top is"),
    ],
)
def test_a_distance_that_is_too_great_is_a_rejection(
    capsys: pytest.CaptureFixture[str], asked: list[str], message: str
) -> None:
    words = (MODEL, "--reference", REFERENCE, "--gates", "tensor_contract", *TEXT)
    report = reported(capsys, 1, *words, *asked)
    assert report["outcome"] == "failed"
    assert report["distance_problems"][0].startswith(message)
    assert (
        reported(capsys, 3, *words, "--max-divergence", "1", "--min-same-top", "0.5")["distance_problems"]
        == []
    )


def test_an_earlier_report_is_compared_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gates = "golden_output,throughput,performance_regression"
    words = (REFERENCE, *QUICK, "--gates", gates, "--previous-report", str(tmp_path / "x"))
    earlier = {"gates": [{"name": "throughput", "outcome": "passed", "value": 1e-3}]}
    (tmp_path / "x").write_text(json.dumps(earlier))
    assert reported(capsys, 3, *words)["gates_failed"] == []
    earlier["gates"][0]["value"] = 1e12
    (tmp_path / "x").write_text(json.dumps(earlier))
    assert reported(capsys, 1, *words)["gates_failed"] == ["performance_regression"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"gates": [{}]}', '{"gates": 7}', "[" * 100_000])
def test_a_file_that_is_no_report_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "x").write_text(text)
    assert cli.main(["qa", MODEL, "--previous-report", str(tmp_path / "x")]) == 1
    assert "is no report of apr qa" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gates", "nonsense"], "there is no gate 'nonsense'"),
        (["--gates", ""], "there is no gate ''"),
        (["--reference", "/nowhere"], "there is no such file"),
        (["--text", MODEL], "name one, --reference"),
        (["--max-divergence", "1"], "name one, --text"),
        (["--new-tokens", "0"], "--new-tokens cannot be 0"),
        (["--assert-tps", "nan"], "--assert-tps cannot be nan"),
        (["--regression-threshold", "1"], "--regression-threshold cannot be 1"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_usage(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert cli.main(["qa", MODEL, *words]) == 2
    said = capsys.readouterr()
    assert (said.out, message in said.err) == ("", True)


@pytest.mark.parametrize(
    "words",
    [
        ["--expect", ""],
        ["--text-tokens", "5"],
        ["--regression-threshold", "0.2"],
        ["--assert-tps", "1"],
        ["--assert-gpu-speedup", "1"],
        ["--previous-report", __file__],
        ["--expect", "x"],
        ["--prompt", "What is 2+2?"],
        ["--plain"],
        ["--new-tokens", "32"],
        ["--iterations", "5"],
        ["--reference", REFERENCE],
        ["--threads", "99999999999"],
        ["--reference", REFERENCE, *TEXT, "--min-same-top", "1.5"],
    ],
)
def test_options_that_judge_nothing_are_usage(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert cli.main(["qa", MODEL, "--gates", "tensor_contract", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")


def test_a_model_whose_distance_is_no_number_has_a_report_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(REFERENCE, tmp_path / "broken")
    file = tmp_path / "broken" / "model.safetensors"
    tensors = load_file(file)
    tensors["model.norm.weight"] = tensors["model.norm.weight"] * float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    words = (str(file.parent), "--reference", REFERENCE, "--gates", "tensor_contract", *TEXT)
    report = reported(capsys, 1, *words, "--max-divergence", "1")
    assert report["outcome"] == "failed"
    assert report["distance"] is None
    assert "NaN or infinite" in report["distance_problems"][0]


def test_it_computes_in_the_dtype_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--gates", "golden_output", "--dtype", "bfloat16", "--allow-declined"]
    assert reported(capsys, 0, REFERENCE, *GOLDEN, *words)["system"]["dtype"] == "bfloat16"
