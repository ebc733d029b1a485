"""A run that was stopped half-way: nothing half-written counts as whole, and it goes on to the same end."""

from __future__ import annotations

import contextlib
import resource
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.checks.trainer import Trainer, folder_of, random_init, random_shards, remove, words
from pv_runtime.formats import Checkpoint
from pv_runtime.pretrain import checkpoints
from pv_runtime.pretrain.batches import Batches
from pv_runtime.pretrain.errors import TrainingError
from pv_runtime.pretrain.metrics import read_metrics

__all__ = ["taken_up"]

_STEPS = 6
_ROOM = 200_000
"""Bytes that a file may have where the disk is full: the model has 280 kB."""


@check(
    metrics=[
        Metric("full_code", unit="1", kind="count"),
        Metric("unsaid", unit="1", kind="count"),
        Metric("half_written", unit="1", kind="count"),
        Metric("latest_is_whole", unit="1", kind="count"),
        Metric("steps_lost", unit="1", kind="count"),
        Metric("resumed_code", unit="1", kind="count"),
        Metric("files", unit="1", kind="count"),
        Metric("differing_files", unit="1", kind="count"),
        Metric("lines", unit="1", kind="count"),
        Metric("differing_lines", unit="1", kind="count"),
        Metric("left_over", unit="1", kind="count"),
    ]
)
def taken_up(run: Run, *, tokenizer: Checkpoint) -> None:
    """Train six steps; stop a copy after two by a full disk, another by a kill while it writes a checkpoint.

    Of the one that the full disk stopped: its exit code, words that the message lacks, folders at the place
    of checkpoints that cannot be loaded, 1 if ``latest`` is a whole one, and steps beyond the one that is
    kept. Then it goes on, as does the one that was killed, of which half a checkpoint and half a line of
    metrics lie there: of both, exit codes, files of the last checkpoint and losses that differ from those of
    the run that was never stopped, and what is left over of half-written ones.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    options = {
        "init": random_init(folder / "init"), "dataset": random_shards(folder / "shards"),
        "tokenizer": folder_of(tokenizer), "num_steps": _STEPS, "save_every": 2, "accumulate": 2,
        "eval_every": 2,
    }  # fmt: skip
    whole = trainer.run(words(folder / "whole", **options)).folder
    full, killed = folder / "full", folder / "killed"
    for stopped in (full, killed):
        _stop_after_two(whole, stopped)
    half = killed / checkpoints.FOLDER / ".step-00000004.partial"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half of it")
    with (killed / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"kind": "step", "st')
    resume = ["pretrain", "--json", "--resume", "--run-dir"]
    with _full_disk():
        ended = trainer.run([*resume, str(full)])
    run.record("full_code", ended.code)
    wanted = ("FALSIFY-APR-PRETRAIN-RESUME-003", "step-00000002 is the last one that is whole", "--resume")
    run.record("unsaid", sum(word not in ended.said for word in wanted), label=ended.said[:200])
    there = checkpoints.checkpoints_of(full)
    run.record("half_written", sum(not _whole(path) for path in there), label=str(len(there)))
    latest = full / checkpoints.FOLDER / checkpoints.LATEST
    run.record("latest_is_whole", int(_whole(latest)))
    done = max(line["step"] for line in read_metrics(full) if line["kind"] == "step")
    run.record("steps_lost", done - int(there[-1].name.removeprefix("step-")))
    expected, lines = _bytes(checkpoints.checkpoints_of(whole)[-1]), _losses(whole)
    for stopped in (full, killed):
        ended = trainer.run([*resume, str(stopped)])
        run.record("resumed_code", ended.code, label=stopped.name)
        found = _bytes(checkpoints.checkpoints_of(stopped)[-1])
        differing = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
        run.record("differing_files", len(differing), label=f"{stopped.name}: {', '.join(differing)}")
        resumed = _losses(stopped)
        run.record("differing_lines", len(set(lines) ^ set(resumed)), label=stopped.name)
        hidden = [path.name for path in (stopped / checkpoints.FOLDER).iterdir() if path.name[0] == "."]
        run.record("left_over", len(hidden), label=f"{stopped.name}: {', '.join(hidden)}")
    run.record("files", len(expected))
    run.record("lines", len(lines))


def _stop_after_two(whole: Path, target: Path) -> None:
    """Copy a run as it was after its second step."""
    shutil.copytree(whole, target, symlinks=True)
    first, *later = checkpoints.checkpoints_of(target)
    for path in later:
        remove(path)
    link = target / checkpoints.FOLDER / checkpoints.LATEST
    link.unlink()
    link.symlink_to(first.name)


@contextlib.contextmanager
def _full_disk() -> Iterator[None]:
    """Let no file of this process grow further."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _whole(path: Path) -> bool:
    try:
        checkpoints.load(path)
    except TrainingError:
        return False
    return True


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _losses(folder: Path) -> list[tuple[str, int, float]]:
    return [(line["kind"], line["step"], line["loss"]) for line in read_metrics(folder)]


@taken_up.counter_example("written_in_place", of="trainer")
def written_in_place(trainer: Trainer) -> Trainer:
    """Write a checkpoint under its own name from the first byte on."""

    def make(_: object) -> Callable[[Path, Callable[[Path], None]], None]:
        def writing(target: Path, fill: Callable[[Path], None]) -> None:
            target.mkdir(parents=True)
            fill(target)

        return writing

    return trainer.having(checkpoints, "write_whole", make)


@taken_up.counter_example("moments_begin_again", of="trainer")
def moments_begin_again(trainer: Trainer) -> Trainer:
    """Go on with the weights, and with an optimiser that has seen nothing."""
    return trainer.having(checkpoints, "restore", lambda _: lambda *_: None)


@taken_up.counter_example("data_begin_again", of="trainer")
def data_begin_again(trainer: Trainer) -> Trainer:
    """Go on with the first sequence."""
    begun: dict[int, int] = {}

    def make(batch: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
        def from_the_first(self: Batches, position: int, size: int) -> tuple[Tensor, Tensor]:
            first = begun.setdefault(id(self), position)
            return batch(self, position - first, size)

        return from_the_first

    return trainer.having(Batches, "batch", make)


@taken_up.counter_example("weights_kept_in_half", of="trainer")
def weights_kept_in_half(trainer: Trainer) -> Trainer:
    """Save weights rounded to bfloat16: what goes on is not what was stopped."""

    def make(save: Callable[..., Path]) -> Callable[..., Path]:
        def saving(run: Path, module: Any, optimiser: Any, state: Mapping[str, Any], **how: Any) -> Path:
            exact = {name: value.detach().clone() for name, value in module.named_parameters()}
            with torch.no_grad():
                for value in module.parameters():
                    value.copy_(value.bfloat16().float())
                path = save(run, module, optimiser, state, **how)
                for name, value in module.named_parameters():
                    value.copy_(exact[name])
            return path

        return saving

    return trainer.having(checkpoints, "save", make)
