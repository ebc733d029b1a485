from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime import cli
from pv_runtime.evaluation import sandbox
from pv_runtime.evaluation.baselines import BASELINES

MODELS = Path(__file__).resolve().parents[3] / "models"
MODEL, BENCHMARK = str(MODELS / "tiny-qwen2"), str(MODELS / "completion.jsonl")
PROBLEMS = [json.loads(line) for line in Path(BENCHMARK).read_text(encoding="utf-8").splitlines()]
FEW = ("--benchmark", BENCHMARK, "--limit", "4")
WRITE = (MODEL, *FEW, "--max-new-tokens", "8", "--threads", "1", "--dtype", "bfloat16")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def reported(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert cli.main(["eval", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def completions(folder: Path, *texts: str) -> str:
    """A file in which each problem has the completions `texts`; ``None`` of them stands for the right one."""
    lines = [
        json.dumps({"task_id": each["task_id"], "completion": text or each["canonical_solution"]})
        for each in PROBLEMS
        for text in texts
    ]
    file = folder / "completions.jsonl"
    file.write_text("\n".join(lines))
    return str(file)


def test_a_model_completes_and_what_it_wrote_can_be_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "written.jsonl")
    found = reported(capsys, *WRITE, "--save", file, "--tokenizer", MODEL)
    assert (found["problems"], found["samples"], found["model"], found["max_new_tokens"]) == (4, 1, MODEL, 8)
    assert [each["k"] for each in found["pass_at_k"]] == [1]
    assert found["pass_at_k"][0]["rate"] == found["passed"] / 4
    assert sum(found["outcomes"].values()) == 4
    assert found["enforced"]["network"] == "none"
    written = [json.loads(line) for line in Path(file).read_text().splitlines()]
    assert [each["task_id"] for each in written] == [each["task_id"] for each in PROBLEMS[:4]]
    assert sum(each["passed"] for each in written) == found["passed"]
    assert all("\n" not in each["completion"] for each in written)
    again = reported(capsys, "--completions", file, *FEW)
    same = ("passed", "pass_at_k", "outcomes", "per_problem", "kinds")
    assert {key: again[key] for key in same} == {key: found[key] for key in same}


def test_samples_are_drawn_by_a_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def drawn(seed: str, limit: str) -> list[str]:
        file = tmp_path / "written.jsonl"
        words = (*WRITE, "--limit", limit, "--temperature", "0.8", "--samples", "2", "--seed", seed)
        found = reported(capsys, *words, "--k", "2,1", "--save", str(file), "--force")
        assert [each["k"] for each in found["pass_at_k"]] == [1, 2]
        return [json.loads(line)["completion"] for line in file.read_text().splitlines()]

    first = drawn("1", "2")
    assert len(set(first)) > 1
    assert drawn("1", "2") == first
    assert drawn("1", "1") == first[:2]  # those of a problem do not hang on the others
    assert drawn("2", "2") != first


def test_what_must_pass_passes_and_what_must_not_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = ("--benchmark", BENCHMARK, "--workers", "2")
    right = reported(capsys, "--completions", completions(tmp_path, ""), *whole)
    assert (right["passed"], right["pass_at_k"][0]["rate"]) == (48, 1.0)
    assert {kind: each["solved"] for kind, each in right["kinds"].items()} == {
        "brackets": 16,
        "parsable": 16,
        "identifier": 16,
    }
    mutilated = [
        {"task_id": each["task_id"], "completion": each["canonical_solution"][:-1] + " ("}
        for each in PROBLEMS
    ]
    file = tmp_path / "mutilated.jsonl"
    file.write_text("\n".join(map(json.dumps, mutilated)))
    wrong = reported(capsys, "--completions", str(file), *FEW)
    assert (wrong["passed"], wrong["outcomes"]) == (0, {"no Python": 4})


def test_pass_at_k_is_the_unbiased_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = completions(tmp_path, "", "(", "", "(")
    found = reported(capsys, "--completions", given, *FEW, "--k", "1,2,3")
    rates = [each["rate"] for each in found["pass_at_k"]]
    assert rates == pytest.approx([1 / 2, 1 - 1 / 6, 1.0])
    assert found["pass_at_k"][0]["standard_error"] == 0


def test_a_packed_benchmark_is_read_and_baselines_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "benchmark.jsonl.gz"
    packed.write_bytes(gzip.compress(Path(BENCHMARK).read_bytes()))
    words = ["--completions", completions(tmp_path, ""), "--benchmark", str(packed), "--limit", "2"]
    found = reported(capsys, *words, "--baselines")
    assert set(found["baselines"]) == {*BASELINES, "canonical solution"}
    assert found["baselines"]["canonical solution"] == 1
    assert found["baselines"]["nothing"] == 0
    assert cli.main(["eval", *words]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "2 problems, 1 completions of each: 2 passed"
    assert out[-1] == "  sandbox     no network, no new processes, writes to its own folder only"


def test_limits_are_those_that_were_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = {
        "task_id": "T/0",
        "prompt": "def f():\n",
        "entry_point": "f",
        "canonical_solution": "    pass\n",
        "test": "def check(f):\n    f()\n",
    }
    benchmark, given = tmp_path / "benchmark", tmp_path / "given"
    benchmark.write_text(json.dumps(problem))
    texts = ("    while True: pass\n", "    return bytearray(160 << 20)\n")
    lines = [json.dumps({"task_id": "T/0", "completion": text}) for text in texts]
    given.write_text("\n".join(lines))
    words = ("--benchmark", str(benchmark), "--completions", str(given), "--timeout", "3")
    assert reported(capsys, *words)["outcomes"] == {"passed": 1, "timeout": 1}
    found = reported(capsys, *words, "--memory", "128")
    assert found["outcomes"] == {"memory": 1, "timeout": 1}
    assert found["enforced"]["limits"]["address_space_bytes"] == 128 << 20


def test_a_prompt_that_is_too_long_solves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = tmp_path / "benchmark"
    problem = {**PROBLEMS[0], "prompt": "x = 1\n" * 600 + PROBLEMS[0]["prompt"]}
    benchmark.write_text(json.dumps(problem))
    words = ("--benchmark", str(benchmark), "--max-new-tokens", "2", "--threads", "1")
    found = reported(capsys, MODEL, *words, "--save", str(tmp_path / "w"))
    assert (found["passed"], found["outcomes"], found["enforced"]) == (0, {"not run": 1}, None)
    assert json.loads((tmp_path / "w").read_text())["ended"] == "prompt too long"
    again = reported(capsys, "--completions", str(tmp_path / "w"), "--benchmark", str(benchmark))
    assert again["outcomes"] == {"not run": 1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "MODEL or out of --completions"),
        ([MODEL, "--completions", BENCHMARK], "MODEL or out of --completions"),
        (["--completions", BENCHMARK, "--samples", "2"], "--samples is of a model"),
        (["--completions", BENCHMARK, "--temperature", "0"], "--temperature is of a model"),
        (["--completions", BENCHMARK, "--seed", "0"], "--seed is of a model"),
        (["--completions", BENCHMARK, "--max-new-tokens", "9"], "--max-new-tokens is of a model"),
        (["--completions", BENCHMARK, "--tokenizer", MODEL], "--tokenizer is of a model"),
        (["--completions", BENCHMARK, "--dtype", "float32"], "--dtype is of a model"),
        (["--completions", BENCHMARK, "--threads", "1"], "--threads is of a model"),
        ([MODEL, "--samples", "2"], "--samples would all be one"),
        ([MODEL, "--seed", "2"], "--seed changes nothing"),
        ([MODEL, "--samples", "0"], "--samples cannot be 0"),
        ([MODEL, "--temperature", "nan"], "--temperature cannot be nan"),
        ([MODEL, "--limit", "0"], "--limit cannot be 0"),
        ([MODEL, "--max-new-tokens", "0"], "--max-new-tokens cannot be 0"),
        ([MODEL, "--threads", "0"], "--threads cannot be 0"),
        ([MODEL, "--memory", "1"], "--memory cannot be 1"),
        ([MODEL, "--timeout", "inf"], "--timeout cannot be inf"),
        ([MODEL, "--workers", "0"], "--workers cannot be 0"),
        ([MODEL, "--k", "0"], "--k is a list of numbers"),
        ([MODEL, "--k", "1,x"], "--k is a list of numbers"),
        ([MODEL, "--k", "2"], "--k 2 needs as many completions"),
        ([MODEL, "--force"], "--force replaces what --save names"),
        ([MODEL, "--save", BENCHMARK], "is there already"),
        ([MODEL, "--save", str(MODELS)], "is a folder"),
        (["nothing"], "nothing: there is no such file"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    before = Path(BENCHMARK).read_bytes()
    assert cli.main(["eval", *words, "--benchmark", BENCHMARK]) == 2
    assert said in capsys.readouterr().err
    assert Path(BENCHMARK).read_bytes() == before


def test_more_than_there_are_samples_cannot_be_estimated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["eval", "--completions", completions(tmp_path, ""), *FEW, "--k", "1,2"]) == 2
    assert "--k 2 needs as many completions of each problem, and there are 1" in capsys.readouterr().err


def test_a_broken_file_is_refused_by_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "benchmark"
    file.write_text(json.dumps(PROBLEMS[0]) + "\n{}\n")
    assert cli.main(["eval", MODEL, "--benchmark", str(file)]) == 1
    assert f"{file}:2: the key 'task_id' is missing" in capsys.readouterr().err


def test_where_the_network_is_open_it_must_be_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = sandbox.Enforced(False, False, False, False, {})
    monkeypatch.setattr(sandbox, "_enforced", lambda _: nothing)
    words = ["eval", "--completions", completions(tmp_path, ""), *FEW]
    assert cli.main(words) == 3
    assert "--allow-network" in capsys.readouterr().err
    assert cli.main([*words, "--allow-network"]) == 0
    assert "THE NETWORK WAS OPEN" in capsys.readouterr().out


def test_the_page_has_every_key_of_the_report_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (MODELS.parent / "docs/how-to/evaluate-a-model.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`[a-z_`, ]+) \|", page.partition("## For programs")[2], re.MULTILINE)
    documented = {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    given = reported(capsys, "--completions", completions(tmp_path, ""), *FEW)
    asked = reported(capsys, *WRITE, "--limit", "1")
    assert documented == {*given, *asked}
    assert set(given["enforced"]) <= {*re.findall(r"`(\w+)`", page)}


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pv_runtime.cli",
        "eval",
        "--completions",
        completions(tmp_path, ""),
        *FEW,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "pass@1      100.0%" in done.stdout
