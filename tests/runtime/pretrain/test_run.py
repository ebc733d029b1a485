"""Whole runs: what they refuse, what they write, and that a resumed one is the unbroken one."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime import cli
from pv_runtime.formats import open_checkpoint
from pv_runtime.pretrain import checkpoints
from pv_runtime.pretrain.errors import TrainingError, UsageError
from pv_runtime.pretrain.metrics import Metrics, read_metrics
from pv_runtime.pretrain.prepare import prepare
from pv_runtime.pretrain.request import Request

from tests.runtime.pretrain.conftest import TOKENIZER

Make = Callable[..., Request]
ROOT = Path(__file__).resolve().parents[3]


def words(request: Request, **changes: Any) -> list[str]:
    """Spell a request as a command line."""
    named = {
        **request.sources,
        "run_dir": request.run_dir,
        "device": request.device,
        "threads": request.threads,
    }
    found = {**named, **request.settings, **changes}
    line = ["pretrain"]
    for name, value in found.items():
        if value is not None and value is not False:
            line += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return line


def digest(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def latest(run: Path) -> Path:
    return checkpoints.checkpoints_of(run)[-1]


def losses(run: Path) -> list[tuple[str, int, float]]:
    return [(line["kind"], line["step"], line["loss"]) for line in read_metrics(run)]


@pytest.mark.parametrize("kind", ["init", "from-scratch", "synthetic"])
def test_no_steps_twice_are_the_same_bytes(tmp_path: Path, request_of: Make, kind: str) -> None:
    nothing: dict[str, Any] = {"init": None, "architecture": str(tmp_path / "init")}
    made_up: dict[str, Any] = {"dataset": None, "tokenizer": None, "synthetic": True}
    changes: dict[str, Any] = {"init": {}, "from-scratch": nothing, "synthetic": {**nothing, **made_up}}[kind]
    for name in ("one", "two"):
        request = request_of(run_dir=str(tmp_path / name), settings={"num_steps": 0, "seed": 42}, **changes)
        assert cli.main(words(request)) == 0
    one, two = digest(latest(tmp_path / "one")), digest(latest(tmp_path / "two"))
    assert one == two
    assert "model.safetensors" in one
    state = json.loads(one["training/state.json"])
    assert (state["step"], state["sequences"]) == (0, 0)
    assert open_checkpoint(latest(tmp_path / "one") / "training/optimiser.safetensors").names() == ()
    if kind == "init":
        ours, source = open_checkpoint(latest(tmp_path / "one")), open_checkpoint(tmp_path / "init")
        for name in source.names():
            assert bytes(ours.raw(name)) == bytes(source.raw(name))


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(tmp_path: Path, request_of: Make) -> None:
    settings = {"num_steps": 7, "accumulate": 2, "save_every": 3, "keep": 9, "eval_every": 2}
    whole = request_of(run_dir=str(tmp_path / "whole"), settings=settings)
    assert cli.main(words(whole)) == 0
    broken = tmp_path / "broken"
    shutil.copytree(tmp_path / "whole", broken, symlinks=True)
    for later in ("step-00000006", "step-00000007"):
        shutil.rmtree(broken / "checkpoints" / later)
    with (broken / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')  # a line that a kill cut short
    (broken / "checkpoints" / ".step-00000006.partial").mkdir()
    assert cli.main(["pretrain", "--run-dir", str(broken), "--resume"]) == 0
    assert digest(latest(broken)) == digest(latest(tmp_path / "whole"))
    assert losses(broken) == losses(tmp_path / "whole")
    assert not list((broken / "checkpoints").glob(".step-*"))
    assert os.readlink(broken / "checkpoints" / "latest") == "step-00000007"  # noqa: PTH115


def test_a_finished_run_that_is_resumed_does_nothing(tmp_path: Path, request_of: Make) -> None:
    assert cli.main(words(request_of())) == 0
    before = digest(tmp_path / "run")
    assert cli.main(["pretrain", "--run-dir", str(tmp_path / "run"), "--resume"]) == 0
    assert digest(tmp_path / "run") == before


def test_a_run_that_is_resumed_otherwise_is_refused_by_what_differs(tmp_path: Path, request_of: Make) -> None:
    assert cli.main(words(request_of())) == 0
    for changes, said in (
        ({"settings": {"lr": 0.5}}, "settings.lr: 0.001 in the run, 0.5 now"),
        ({"settings": {"num_steps": 9}}, "settings.num_steps: 4 in the run, 9 now"),
        (
            {"dataset": str(ROOT / "docs" / "how-to")},
            "data.kind: shards in the run, text now",
        ),
    ):
        with pytest.raises(UsageError, match="RESUME-001") as caught:
            prepare(request_of(resume=True, **changes))
        assert said in caught.value.what
    # What means nothing is not the same as what was not said.
    for nothing, said in (
        ({"threads": 0}, "--threads cannot be 0"),
        ({"vocab_size": 0}, "--vocab-size"),
        ({"dataset": ""}, "--dataset"),
        ({"device": ""}, "--device"),
    ):
        with pytest.raises(TrainingError, match=said):
            prepare(request_of(resume=True, **nothing))
    with pytest.raises(UsageError, match="--resume"):
        prepare(request_of())
    with pytest.raises(UsageError, match="RESUME-002"):
        prepare(request_of(resume=True, run_dir=str(tmp_path / "other")))


def test_a_damaged_checkpoint_is_not_gone_on_from(tmp_path: Path, request_of: Make) -> None:
    assert cli.main(words(request_of())) == 0
    file = latest(tmp_path / "run") / "training" / "optimiser.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(TrainingError, match="RESUME-004"):
        prepare(request_of(resume=True))


@pytest.mark.parametrize(
    ("changes", "guard"),
    [
        ({"synthetic": True}, "OPTIONS-001"),
        ({"mode": "from-scratch"}, "OPTIONS-001"),
        ({"init": None, "mode": "finetune"}, "OPTIONS-001"),
        ({"architecture": "llama-370m"}, "OPTIONS-001"),
        ({"vocab_size": 4096}, "OPTIONS-001"),
        ({"settings": {"compile": True}}, "OPTIONS-001"),
        ({"settings": {"dtype": "bfloat16"}}, "OPTIONS-001"),
        ({"tokenizer": None}, "OPTIONS-002"),
        ({"dataset": None}, "OPTIONS-002"),
        ({"settings": {"lr": float("nan")}}, "OPTIONS-002"),
        ({"settings": {"num_steps": -1}}, "OPTIONS-002"),
        ({"settings": {"seq_length": 65}}, "OPTIONS-002"),
        ({"settings": {"warmup_steps": 5}}, "OPTIONS-002"),
        ({"settings": {"target_val_loss": float("nan")}}, "OPTIONS-002"),
        ({"init": "nothing"}, "INIT-003"),
        ({"device": "cuda:7"}, "GPUTRAIN-002"),
        ({"device": "gpu"}, "GPUTRAIN-001"),
        ({"init": None}, "ARCH-006"),
        ({"init": None, "architecture": "nothing"}, "OPTIONS-002"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_there_is_a_folder(
    tmp_path: Path, request_of: Make, capsys: pytest.CaptureFixture[str], changes: Any, guard: str
) -> None:
    request = request_of(**changes)
    with pytest.raises(TrainingError, match=guard):
        prepare(request)
    assert cli.main(words(request)) in {1, 2}
    said = capsys.readouterr()
    assert said.out == ""
    assert guard in said.err
    assert not (tmp_path / "run").exists()


def test_a_tokenizer_larger_than_the_embedding_and_another_ones_are_refused(
    tmp_path: Path, request_of: Make, init: Path
) -> None:
    other = tmp_path / "tokenizer"
    other.mkdir()
    whole = json.loads((TOKENIZER / "tokenizer.json").read_text())
    whole["added_tokens"].append({**whole["added_tokens"][-1], "id": 4096, "content": "<|one_more|>"})
    (other / "tokenizer.json").write_text(json.dumps(whole))
    with pytest.raises(TrainingError, match=r"4097 tokens.*4096 rows\n.*ARCH-010"):
        prepare(request_of(tokenizer=str(other)))
    shutil.copy(TOKENIZER / "tokenizer.json", init)
    whole = json.loads((TOKENIZER / "tokenizer.json").read_text())
    vocabulary = whole["model"]["vocab"]
    one, two = [token for token, number in vocabulary.items() if number in {300, 301}]
    vocabulary[one], vocabulary[two] = vocabulary[two], vocabulary[one]
    (other / "tokenizer.json").write_text(json.dumps(whole))
    with pytest.raises(TrainingError, match="token 300"):
        prepare(request_of(tokenizer=str(other)))


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(
    tmp_path: Path, request_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    request = request_of(settings={"lr": 1e30, "num_steps": 9, "save_every": 1, "warmup_steps": 0})
    assert cli.main(words(request)) == 1
    assert "GATE-TRAIN-0" in capsys.readouterr().err
    saved = checkpoints.load(latest(tmp_path / "run"))
    assert saved.step >= 1


def test_it_stops_early_where_it_was_asked_to(tmp_path: Path, request_of: Make) -> None:
    settings = {"num_steps": 12, "eval_every": 1, "patience": 2, "lr": 1e-7, "warmup_steps": 0}
    assert cli.main(words(request_of(settings=settings))) == 0
    history = [loss for kind, _, loss in losses(tmp_path / "run") if kind == "validation"]
    if len(history) < 13:
        assert min(history) == history[-3]
    target = {"num_steps": 40, "eval_every": 1, "target_val_loss": 99.0}
    assert cli.main(words(request_of(run_dir=str(tmp_path / "other"), settings=target))) == 0
    assert latest(tmp_path / "other").name == "step-00000000"


def test_synthetic_data_are_called_so(
    tmp_path: Path, request_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up = {"dataset": None, "tokenizer": None, "synthetic": True}
    assert cli.main([*words(request_of(**made_up)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == "synthetic"
    stated = json.loads(str(open_checkpoint(latest(tmp_path / "run")).metadata["pretrain"]))
    assert stated["data"] == "synthetic"
    assert "synthetic" in (tmp_path / "run" / "loss.svg").read_text()


def test_the_shipped_model_begins_at_its_own_loss_and_learns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = TOKENIZER.parent
    line = [
        "pretrain",
        "--init",
        str(TOKENIZER),
        "--tokenizer",
        str(TOKENIZER),
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    line += [
        "--dataset",
        str(sources(tmp_path, models / "recipe")),
        "--seq-length",
        "48",
        "--batch-size",
        "2",
        "--lr",
        "1e-3",
    ]
    line += ["--val-windows", "6", "--num-steps", "32", "--run-dir", str(tmp_path / "run"), "--json"]
    assert cli.main(line) == 0
    report = json.loads(capsys.readouterr().out)
    assert 2.0 < report["initial_val_loss"] < 6.0
    assert report["final_val_loss"] < report["initial_val_loss"] - 0.05
    assert cli.main(["diff", str(TOKENIZER), report["checkpoint"], "--json", "--verify-origin"]) in {0, 1}
    assert "b_from_a" in capsys.readouterr().out
    output = str(tmp_path / "model.gguf")
    assert cli.main(["export", report["checkpoint"], "--format", "gguf", "-o", output]) == 0
    assert cli.main(["run", output, "def f", "--max-tokens", "2", "--threads", "1"]) == 0


def test_metrics_know_no_number_that_is_none(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        metrics.write("step", 1, {"loss": float("nan")})
    metrics.close()


def sources(tmp_path: Path, folder: Path) -> Path:
    """Copy the text of `folder`, beside which Python may have left what it compiled."""
    (tmp_path / "text").mkdir()
    for file in folder.glob("*.py"):
        (tmp_path / "text" / file.name).write_bytes(file.read_bytes())
    return tmp_path / "text"


def started(line: list[str], **options: Any) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "runtime"), str(ROOT / "kernels")])
    return subprocess.Popen(
        [sys.executable, "-m", "pv_runtime.cli", *line],
        env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, **options,
    )  # fmt: skip


@pytest.mark.service
@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.11])
def test_a_killed_run_goes_on_to_the_same_end(tmp_path: Path, request_of: Make, delay: float) -> None:
    settings = {"num_steps": 12, "save_every": 1, "keep": 2}
    process = started(words(request_of(settings=settings)))
    deadline = time.monotonic() + 120
    while len(checkpoints.checkpoints_of(tmp_path / "run")) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = max(step for kind, step, _ in losses(tmp_path / "run") if kind == "step")
    saved = checkpoints.load(latest(tmp_path / "run"))
    assert done - saved.step <= 1
    assert cli.main(["pretrain", "--run-dir", str(tmp_path / "run"), "--resume"]) == 0
    whole = request_of(run_dir=str(tmp_path / "whole"), settings=settings)
    assert cli.main(words(whole)) == 0
    assert digest(latest(tmp_path / "run")) == digest(latest(tmp_path / "whole"))
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")


def test_a_full_disk_is_a_clear_stop(
    tmp_path: Path, request_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))  # the model has 270 kB
    try:
        code = cli.main(words(request_of()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = capsys.readouterr().err
    assert code == 1
    assert "RESUME-003" in said
    assert "Traceback" not in said
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []
    assert cli.main(["pretrain", "--run-dir", str(tmp_path / "run"), "--resume"]) == 0


def test_the_random_state_is_part_of_a_checkpoint(tmp_path: Path, request_of: Make) -> None:
    assert cli.main(words(request_of())) == 0
    prepared = prepare(request_of(resume=True))
    saved = checkpoints.load(latest(tmp_path / "run"))
    assert torch.equal(torch.get_rng_state(), saved.random["cpu"])
    assert prepared.resumed_at == 4
