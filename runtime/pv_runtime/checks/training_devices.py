"""Where a run computes: where it was asked to, in the memory of that, as fast and repeatably as claimed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from pv.check import Metric, Run, check
from pv_runtime.checks.trainer import Trainer, folder_of, of_random_weights, random_init, random_shards, words
from pv_runtime.commands import pretrain
from pv_runtime.formats import Checkpoint
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.pretrain import checkpoints, loop, prepare
from pv_runtime.pretrain.batches import Batches
from pv_runtime.pretrain.device import Device
from pv_runtime.pretrain.loop import Run as Training
from pv_runtime.pretrain.metrics import Metrics, read_metrics

__all__ = ["init_loss_on_devices", "processor_path", "repeated_losses", "resident", "step_times"]


@check(
    metrics=[
        Metric("device", unit="1", kind="text"),
        Metric("exit_code", unit="1", kind="count"),
        Metric("lines", unit="1", kind="count"),
        Metric("differing_losses", unit="1", kind="count"),
        Metric("differing_files", unit="1", kind="count"),
        Metric("gpu_touched", unit="1", kind="count"),
    ]
)
def processor_path(run: Run, *, tokenizer: Checkpoint, steps: int) -> None:
    """Train twice on the CPU by its name, and see whether CUDA was begun, and the two are the same bits."""
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    options = {
        "init": random_init(folder / "init"), "dataset": random_shards(folder / "shards"),
        "tokenizer": folder_of(tokenizer), "num_steps": steps, "save_every": steps, "device": "cpu",
    }  # fmt: skip
    runs = [trainer.run(words(folder / name, **options)) for name in ("one", "two")]
    for ended in runs:
        run.record("exit_code", ended.code)
        run.record("device", str(ended.report.get("device", "none")))
    one, two = (
        [(line["kind"], line["step"], line["loss"]) for line in read_metrics(ended.folder)] for ended in runs
    )
    run.record("lines", len(one))
    run.record("differing_losses", len(set(one) ^ set(two)))
    first, second = (
        {path.name: path.read_bytes() for path in ended.latest.rglob("*") if path.is_file()} for ended in runs
    )
    run.record("differing_files", sum(first[name] != second.get(name) for name in first))
    run.record("gpu_touched", int(torch.cuda.is_initialized()))


@processor_path.counter_example("called_a_gpu", of="trainer")
def called_a_gpu(trainer: Trainer) -> Trainer:
    """Compute on the CPU, and report a GPU."""
    return trainer.having(
        pretrain, "_report", lambda report: lambda *parts: {**report(*parts), "device": "cuda:0"}
    )


@processor_path.counter_example("order_by_the_clock", of="trainer")
def order_by_the_clock(trainer: Trainer) -> Trainer:
    """Shuffle the data by what the operating system has of randomness."""

    def make(kind: Callable[..., Batches]) -> Callable[..., Batches]:
        return lambda shards, length, _: kind(shards, length, int.from_bytes(os.urandom(4), "little"))

    return trainer.having(prepare, "Batches", make)


@check(
    metrics=[
        Metric("device", unit="1", kind="text"),
        Metric("loss_on_cpu", unit="nat", low=0.0),
        Metric("loss_on_device", unit="nat", low=0.0),
        Metric("difference", unit="nat", low=0.0),
    ]
)
def init_loss_on_devices(run: Run, *, model: Checkpoint, text: FileBytes, windows: int) -> None:
    """Begin with `model` on the CPU and on the run's device, make no step, and compare held-out losses."""
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    options = {
        "init": folder_of(model), "tokenizer": folder_of(model), "val_shard": Path(text.path).resolve(),
        "dataset": random_shards(folder / "shards"), "val_windows": windows, "seq_length": 64,
        "num_steps": 0, "warmup_steps": 0,
    }  # fmt: skip
    # The reference is the trainer as it is: defects are planted in what runs on the device.
    cpu = Trainer().run(words(folder / "cpu", **options)).report["initial_val_loss"]
    ended = trainer.run(words(folder / "device", **{**options, "device": run.device}))
    run.record("device", str(ended.report["device"]))
    run.record("loss_on_cpu", cpu)
    run.record("loss_on_device", ended.report["initial_val_loss"])
    run.record("difference", abs(ended.report["initial_val_loss"] - cpu))


@init_loss_on_devices.counter_example("weights_not_moved", of="trainer")
def weights_not_moved(trainer: Trainer) -> Trainer:
    """Make the module on the device, and leave there what it was made with."""
    return of_random_weights(trainer)


@init_loss_on_devices.counter_example("on_the_cpu_instead", of="trainer")
def on_the_cpu_instead(trainer: Trainer) -> Trainer:
    """Take the CPU, whatever was asked for: the loss is right, and the device is not."""
    return left_on_the_cpu(trainer)


@check(
    metrics=[
        Metric("device", unit="1", kind="text"),
        Metric("parameters", unit="1", kind="count"),
        Metric("off_the_device", unit="1", kind="count"),
        Metric("tensors", unit="1", kind="count"),
        Metric("bytes_taken", unit="B", kind="count"),
    ]
)
def resident(run: Run, *, tokenizer: Checkpoint) -> None:
    """Train two steps, and look where weights and moments are, and what the driver has given away.

    `off_the_device` counts weights and moments, of `tensors`, that are not in the device's memory;
    `bytes_taken` are those that the driver counts as used after the steps and not before.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    kept: list[Training] = []

    def looking(train: Callable[..., Any]) -> Callable[..., Any]:
        def training(*given: Any) -> Any:
            kept.append(given[0])
            return train(*given)

        return training

    before = _used(run.device)
    options = {
        "init": random_init(folder / "init"), "dataset": random_shards(folder / "shards"),
        "tokenizer": folder_of(tokenizer), "device": run.device,
    }  # fmt: skip
    ended = trainer.having(loop, "train", looking).run(words(folder / "run", **options))
    run.record("device", str(ended.report["device"]))
    run.record("parameters", int(ended.report["parameters"]))
    held = list(kept[0].module.parameters())
    held += [
        value for state in kept[0].optimiser.state.values() for name, value in state.items() if "exp" in name
    ]
    run.record("tensors", len(held))
    run.record("off_the_device", sum(str(each.device) != run.device for each in held))
    run.record("bytes_taken", max(_used(run.device) - before, 0))


def _used(device: str) -> int:
    """Return what the driver counts as used; 0 for the CPU, whose memory is everybody's."""
    if not device.startswith("cuda"):
        return 0
    free, total = torch.cuda.mem_get_info(device)
    return total - free


@resident.counter_example("left_on_the_cpu", of="trainer")
def left_on_the_cpu(trainer: Trainer) -> Trainer:
    """Report the device that was asked for, and compute on the CPU."""

    def make(resolve: Callable[[str], Device]) -> Callable[[str], Device]:
        return lambda asked: Device("cpu", resolve(asked).reason)

    return trainer.having(prepare, "resolve_device", make)


@check(
    metrics=[
        Metric("device", unit="1", kind="text"),
        Metric("parameters", unit="1", kind="count"),
        Metric("timed", unit="1", kind="count"),
        Metric("wall_ms", unit="ms", low=0.0),
        Metric("losses_not_finite", unit="1", kind="count"),
        Metric("elapsed_over_stated", unit="1", low=0.0),
    ]
)
def step_times(
    run: Run, *, architecture: str, length: int, batch: int, dtype: str, steps: int, first: int
) -> None:
    """Train `architecture` from nothing on made-up tokens, and record the time of each step from `first` on.

    No checkpoint is written. `elapsed_over_stated` is how long the whole loop took by a clock of the check's
    own, over the sum of what it says of its steps: far above 1 if a step is written down before the device is
    done with it.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
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

    def unsaved(_: object) -> Callable[..., Path]:
        def saving(where: Path, _: Any, __: Any, state: Mapping[str, Any], **___: Any) -> Path:
            path = where / checkpoints.FOLDER / f"step-{state['step']:08d}"
            path.mkdir(parents=True)
            return path

        return saving

    quiet = trainer.having(checkpoints, "save", unsaved).having(loop, "train", timed)
    options: dict[str, Any] = {
        "synthetic": True, "architecture": architecture, "seq_length": length, "batch_size": batch,
        "num_steps": steps, "dtype": dtype, "device": run.device, "warmup_steps": 0, "save_every": steps,
        "eval_every": steps, "val_windows": 1,
    }  # fmt: skip
    ended = quiet.run(words(folder / "run", **options))
    lines = [line for line in read_metrics(ended.folder) if line["kind"] == "step"]
    run.record("device", str(ended.report["device"]))
    run.record("parameters", int(ended.report["parameters"]))
    later = lines[first:]
    run.record("timed", len(later))
    for line in later:
        run.record("wall_ms", line["wall_ms"], label=f"step {line['step'] - 1}")
    run.record("losses_not_finite", sum(not math.isfinite(line["loss"]) for line in lines))
    run.record("elapsed_over_stated", 1e3 * clock[0] / sum(line["wall_ms"] for line in lines))


@step_times.counter_example("waits_a_second", of="trainer")
def waits_a_second(trainer: Trainer) -> Trainer:
    """Take a second more for each step."""

    def make(rate: Callable[..., float]) -> Callable[..., float]:
        def slow(*given: Any, **named: Any) -> float:
            time.sleep(1.0)
            return rate(*given, **named)

        return slow

    return trainer.having(loop, "learning_rate", make)


@step_times.counter_example("a_hundredth_is_written_down", of="trainer")
def a_hundredth_is_written_down(trainer: Trainer) -> Trainer:
    """Write down a hundredth of what a step took."""

    def make(write: Callable[..., None]) -> Callable[..., None]:
        def writing(metrics: Metrics, kind: str, step: int, values: Mapping[str, Any]) -> None:
            took = {"wall_ms": values["wall_ms"] / 100} if kind == "step" else {}
            write(metrics, kind, step, {**values, **took})

        return writing

    return trainer.having(Metrics, "write", make)


@check(
    metrics=[
        Metric("device", unit="1", kind="text"),
        Metric("lines", unit="1", kind="count"),
        Metric("difference", unit="nat", low=0.0),
    ]
)
def repeated_losses(run: Run, *, model: Checkpoint, steps: int) -> None:
    """Train twice with one seed on the run's device, and compare the loss of each step and validation."""
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    options = {
        "init": folder_of(model), "dataset": random_shards(folder / "shards", tokens=5000),
        "tokenizer": folder_of(model), "num_steps": steps, "save_every": steps, "eval_every": 10,
        "seq_length": 64, "seed": 0, "device": run.device, "deterministic": True,
    }  # fmt: skip
    one, two = (trainer.run(words(folder / name, **options)) for name in ("one", "two"))
    run.record("device", str(one.report["device"]))
    pairs = list(zip(read_metrics(one.folder), read_metrics(two.folder), strict=True))
    run.record("lines", len(pairs))
    for first, second in pairs:
        label = f"{first['kind']} {first['step']}"
        run.record("difference", abs(first["loss"] - second["loss"]), label=label)


@repeated_losses.counter_example("another_order", of="trainer")
def another_order(trainer: Trainer) -> Trainer:
    """Shuffle the data by what the operating system has of randomness."""
    return order_by_the_clock(trainer)
