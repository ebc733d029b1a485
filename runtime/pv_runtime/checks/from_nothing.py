"""A training from nothing: how long all of it would take, and whether it is the same the second time."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # the first step of an optimiser imports it, which takes longer than all the steps

from pv.check import Metric, Run, check
from pv_runtime.architecture import Architecture
from pv_runtime.checks import training_devices
from pv_runtime.checks.trainer import SMALL, Ended, Trainer, words
from pv_runtime.presets import config_json
from pv_runtime.pretrain import checkpoints, loop
from pv_runtime.pretrain.metrics import Metrics, read_metrics

__all__ = ["time_of_training", "two_trainings"]

_UNIT_MS = 1e3


@check(
    metrics=[
        Metric("device", unit="1", kind="text"),
        Metric("parameters", unit="1", kind="count"),
        Metric("timed", unit="1", kind="count"),
        Metric("wall_ms", unit="ms", low=0.0),
        Metric("median_ms", unit="ms", low=0.0),
        Metric("planned_steps", unit="1", kind="count"),
        Metric("losses_not_finite", unit="1", kind="count"),
        Metric("elapsed_over_stated", unit="1", low=0.0),
    ]
)
def time_of_training(run: Run, *, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Make some steps of a training from nothing, of made-up tokens, and say how many all of it has.

    `settings` are, by level, ``architecture`` (a preset, or ``small``), ``length`` and ``batch`` of a step,
    ``dtype``, ``steps`` and the ``first`` that is timed, and ``tokens`` of the whole training. `wall_ms` is
    the time of one step and `median_ms` the median of these; `planned_steps` are tokens over those of a step,
    rounded up. `elapsed_over_stated` is how long the loop took by a clock of the check's own, over the sum of
    what it says of its steps. No checkpoint is written.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    here = settings[run.level]
    clock: list[float] = []

    def timed(train: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*given: Any) -> Any:
            started = time.perf_counter()
            finished = train(*given)
            if run.device.startswith("cuda"):
                torch.cuda.synchronize(run.device)
            clock.append(time.perf_counter() - started)
            return finished

        return timing

    ended = _trained(run, trainer.having(loop, "train", timed), here, "run")
    lines = [line for line in read_metrics(ended.folder) if line["kind"] == "step"]
    run.record("device", str(ended.report["device"]))
    run.record("parameters", int(ended.report["parameters"]))
    later = [line["wall_ms"] for line in lines[here["first"] :]]
    run.record("timed", len(later))
    for place, took in enumerate(later, start=here["first"]):
        run.record("wall_ms", took, label=f"step {place}")
    run.record("median_ms", statistics.median(later))
    run.record("planned_steps", -(-here["tokens"] // (here["length"] * here["batch"])))
    run.record("losses_not_finite", sum(not math.isfinite(line["loss"]) for line in lines))
    run.record("elapsed_over_stated", _UNIT_MS * clock[0] / sum(line["wall_ms"] for line in lines))


def _trained(run: Run, trainer: Trainer, here: Mapping[str, Any], name: str, **more: Any) -> Ended:
    """Run the command, without a checkpoint at its end: it would take longer than the steps."""
    folder = Path(run.scratch())
    options = {
        "synthetic": True, "architecture": _architecture(here["architecture"], folder / "architecture"),
        "seq_length": here["length"], "batch_size": here["batch"], "num_steps": here["steps"],
        "dtype": here["dtype"], "device": run.device, "warmup_steps": 0, "save_every": here["steps"],
        "eval_every": here["steps"], "val_windows": 1, **more,
    }  # fmt: skip

    def unsaved(_: object) -> Callable[..., Path]:
        def saving(where: Path, _: Any, __: Any, state: Mapping[str, Any], **___: Any) -> Path:
            path = where / checkpoints.FOLDER / f"step-{state['step']:08d}"
            path.mkdir(parents=True)
            return path

        return saving

    return trainer.having(checkpoints, "save", unsaved).run(words(folder / name, **options))


def _architecture(name: str, folder: Path) -> str:
    if name != "small":
        return name
    shape: Architecture = SMALL
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_json(shape)), encoding="utf-8")
    return str(folder)


@time_of_training.counter_example("waits_for_something", of="trainer")
def waits_for_something(trainer: Trainer) -> Trainer:
    """Take seven tenths of a second more for each step."""

    def make(rate: Callable[..., float]) -> Callable[..., float]:
        def slow(*given: Any, **named: Any) -> float:
            time.sleep(0.7)
            return rate(*given, **named)

        return slow

    return trainer.having(loop, "learning_rate", make)


@time_of_training.counter_example("a_hundredth_is_written_down", of="trainer")
def a_hundredth_is_written_down(trainer: Trainer) -> Trainer:
    """Write down a hundredth of what a step took."""
    return training_devices.a_hundredth_is_written_down(trainer)


@check(
    metrics=[
        Metric("device", unit="1", kind="text"),
        Metric("steps", unit="1", kind="count"),
        Metric("difference", unit="nat", low=0.0),
        Metric("distinct_losses", unit="1", kind="count"),
    ]
)
def two_trainings(run: Run, *, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Train twice from nothing with seed 0 and `--deterministic` on a GPU, and compare the loss of each step.

    `settings` are, by level, as those of `time_of_training`. `difference` is that of one step's losses;
    `distinct_losses` counts those of the first training that no other step has.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    here = settings[run.level]
    more = {"seed": 0, "deterministic": run.device.startswith("cuda")}
    # Defects are planted in the second: what is the same wrong each time is the same.
    pair = [_trained(run, who, here, name, **more) for who, name in ((Trainer(), "one"), (trainer, "two"))]
    run.record("device", str(pair[1].report["device"]))
    one, two = (
        [line["loss"] for line in read_metrics(each.folder) if line["kind"] == "step"] for each in pair
    )
    for step, (first, second) in enumerate(zip(one, two, strict=False), start=1):
        run.record("difference", abs(first - second), label=f"step {step}")
    run.record("steps", max(len(one), len(two)))
    run.record("distinct_losses", len(set(one)))


@two_trainings.counter_example("order_by_the_clock", of="trainer")
def order_by_the_clock(trainer: Trainer) -> Trainer:
    """Shuffle the data by what the operating system has of randomness."""
    return training_devices.order_by_the_clock(trainer)


@two_trainings.counter_example("sums_in_another_order", of="trainer")
def sums_in_another_order(trainer: Trainer) -> Trainer:
    """Let losses wander by a hundred-thousandth from the 28th step on, as one GPU's did."""
    return _altered(trainer, lambda step, loss: loss + 1e-5 * (step > 27))


@two_trainings.counter_example("ends_early", of="trainer")
def ends_early(trainer: Trainer) -> Trainer:
    """Write down the first steps only: those are the same."""

    def make(write: Callable[..., None]) -> Callable[..., None]:
        def writing(metrics: Metrics, kind: str, step: int, values: Mapping[str, Any]) -> None:
            if step <= 10:
                write(metrics, kind, step, values)

        return writing

    return trainer.having(Metrics, "write", make)


def _altered(trainer: Trainer, alter: Callable[[int, float], float]) -> Trainer:
    """Let the losses of steps be written down otherwise."""

    def make(write: Callable[..., None]) -> Callable[..., None]:
        def writing(metrics: Metrics, kind: str, step: int, values: Mapping[str, Any]) -> None:
            loss = {"loss": alter(step, values["loss"])} if kind == "step" else {}
            write(metrics, kind, step, {**values, **loss})

        return writing

    return trainer.having(Metrics, "write", make)
