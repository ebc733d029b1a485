"""A short training of a real model on real text, and all that it says of itself held against what it did."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pv.check import Metric, Run, check
from pv_runtime.checks.trainer import Ended, Trainer, folder_of, words
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.model import Decoder
from pv_runtime.pretrain import checkpoints, loop, prepare
from pv_runtime.pretrain.batches import Batches
from pv_runtime.pretrain.data import made_up
from pv_runtime.pretrain.metrics import Metrics, read_metrics
from pv_runtime.pretrain.shards import Tokens
from pv_runtime.tokenizer import tokenizer_in
from pv_runtime.weights import load_weights

__all__ = ["training"]

_FIELDS = ("step", "loss", "learning_rate", "gradient_norm", "wall_ms", "tokens_per_second")
_FILES = (
    "run.json", "metrics.jsonl", "loss.svg", "checkpoints/latest/model.safetensors",
    "checkpoints/latest/config.json", "checkpoints/latest/tokenizer.json",
    "checkpoints/latest/training/optimiser.safetensors", "checkpoints/latest/training/random.safetensors",
    "checkpoints/latest/training/state.json",
)  # fmt: skip
_SAID = ("mode", "data", "seed", "steps", "step")
_RECORDED = ("settings", "init", "architecture", "data", "tokenizer", "software")
_PEAK, _WARM_UP, _LENGTH, _BATCH = 1e-4, 3, 64, 2


@check(
    metrics=[
        Metric("steps", unit="1", kind="count"),
        Metric("lines", unit="1", kind="count"),
        Metric("missing_fields", unit="1", kind="count"),
        Metric("missing_files", unit="1", kind="count"),
        Metric("missing_facts", unit="1", kind="count"),
        Metric("moments", unit="1", kind="count"),
        Metric("parameters", unit="1", kind="count"),
        Metric("first_validation", unit="nat", low=0.0),
        Metric("last_validation", unit="nat", low=0.0),
        Metric("validation_ratio", unit="1", low=0.0),
        Metric("validations", unit="1", kind="count"),
        Metric("loss_of_twin", unit="nat", low=0.0),
        Metric("loss_of_decoder", unit="nat", low=0.0),
        Metric("rate_error", unit="1", low=0.0),
        Metric("distinct_losses", unit="1", kind="count"),
        Metric("not_finite", unit="1", kind="count"),
        Metric("tokens_per_second", unit="1/s"),
        Metric("tokens_error", unit="1", low=0.0),
        Metric("data", unit="1", kind="text"),
    ]
)
def training(run: Run, *, model: Checkpoint, text: FileBytes, steps: int) -> None:
    """Train `model` on the first half of `text`, hold out the other, and do so a second time.

    - `missing_fields`: of each step's line, fields of metrics that it lacks; `missing_files` and
      `missing_facts`: of the run's folder, and of what its record and its checkpoint say.
    - `moments`: values of AdamW's in the last checkpoint; there are two for each of `parameters`.
    - `validation_ratio`: each held-out loss over the one before it.
    - `loss_of_twin`: of each line, how far the loss of the second run is from the first one's.
    - `loss_of_decoder`: how far the first step's loss is from the one that the decoder of ``apr run`` has of
      the same tokens, which is another implementation.
    - `rate_error`: of each step, the learning rate's distance from the formula, relative to the peak.
    - `not_finite`: numbers in metrics that are none. `tokens_error`: how far tokens a second times the step's
      time are from its tokens, as a share.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    halves = _halves(Path(text.path).read_text(encoding="utf-8"), folder)
    options: dict[str, Any] = {
        "init": folder_of(model), "tokenizer": folder_of(model), "dataset": halves[0], "val_shard": halves[1],
        "num_steps": steps, "warmup_steps": _WARM_UP, "seq_length": _LENGTH, "batch_size": _BATCH,
        "lr": _PEAK, "eval_every": 4, "val_windows": 8, "save_every": steps,
    }  # fmt: skip
    ended = trainer.run(words(folder / "one", **options))
    twin = trainer.run(words(folder / "two", **options))
    lines = read_metrics(ended.folder)
    learnt = [line for line in lines if line["kind"] == "step"]
    run.record("steps", steps)
    run.record("lines", len(learnt))
    _record_artefacts(run, ended)
    _record_steps(run, learnt, steps)
    losses = [line["loss"] for line in lines if line["kind"] == "validation"]
    run.record("first_validation", losses[0])
    run.record("last_validation", losses[-1])
    run.record("validations", len(losses))
    for before, now in itertools.pairwise(losses):
        run.record("validation_ratio", now / before)
    for one, two in zip(lines, read_metrics(twin.folder), strict=True):
        run.record("loss_of_twin", abs(one["loss"] - two["loss"]), label=f"{one['kind']} {one['step']}")
    run.record("loss_of_decoder", abs(learnt[0]["loss"] - _independent(model, halves[0])))


def _halves(text: str, folder: Path) -> tuple[Path, Path]:
    """Divide a text at the end of the line in its middle."""
    middle = text.index("\n", len(text) // 2) + 1
    one, other = folder / "learnt.txt", folder / "held-out.txt"
    one.write_text(text[:middle], encoding="utf-8")
    other.write_text(text[middle:], encoding="utf-8")
    return one, other


def _record_artefacts(run: Run, ended: Ended) -> None:
    run.record("missing_files", sum(not (ended.folder / name).is_file() for name in _FILES))
    stated, record = ended.stated, ended.record
    absent = [name for name in _SAID if stated.get(name) is None]
    absent += [name for name in _RECORDED if record.get(name) is None]
    run.record("missing_facts", len(absent), label=", ".join(absent) or None)
    moments = open_checkpoint(ended.latest / checkpoints.TRAINING / "optimiser.safetensors")
    run.record("moments", sum(moments.info(name).elements for name in moments.names()))
    run.record("parameters", int(ended.report["parameters"]))
    run.record("data", str(record["data"]["kind"]))


def _record_steps(run: Run, learnt: list[dict[str, Any]], steps: int) -> None:
    for line in learnt:
        label = f"step {line['step']}"
        run.record("missing_fields", sum(name not in line for name in _FIELDS), label=label)
        numbers = [value for value in line.values() if isinstance(value, float)]
        run.record("not_finite", sum(not math.isfinite(value) for value in numbers), label=label)
        expected = _rate(line["step"] - 1, steps)
        run.record("rate_error", abs(line.get("learning_rate", 0.0) - expected) / _PEAK, label=label)
        run.record("tokens_per_second", line.get("tokens_per_second", 0.0), label=label)
        counted = line.get("tokens_per_second", 0.0) * line.get("wall_ms", 0.0) / 1e3
        run.record("tokens_error", abs(counted - _BATCH * _LENGTH) / (_BATCH * _LENGTH), label=label)
    run.record("distinct_losses", len({line["loss"] for line in learnt}))


def _rate(step: int, steps: int) -> float:
    """Return the rate of a step: a line up to the peak, and half a cosine down to a hundredth of it."""
    if step < _WARM_UP:
        return _PEAK * (step + 1) / _WARM_UP
    turned = math.cos(math.pi * (step - _WARM_UP) / (steps - _WARM_UP))
    return _PEAK * (0.01 + 0.99 * (1 + turned) / 2)


def _independent(model: Checkpoint, text: Path) -> float:
    """Return the loss of the first step's tokens by the decoder that generates text."""
    tokenizer = tokenizer_in(folder_of(model))
    end = tokenizer.id_of(tokenizer.special["eos_token"])
    ids = torch.tensor([*tokenizer.encode(text.read_text(encoding="utf-8")), end], dtype=torch.int32)
    tokens = Tokens("learnt", ids.numpy().astype("uint32"), "")
    inputs, targets = Batches([tokens], _LENGTH, 42).batch(0, _BATCH)
    with torch.no_grad():
        logits = Decoder(load_weights(model)).forward(inputs)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()


Write = Callable[[Metrics, str, int, Mapping[str, Any]], None]


def _writing(trainer: Trainer, alter: Callable[[str, int, dict[str, Any]], dict[str, Any]]) -> Trainer:
    """Let lines of metrics be written otherwise than they were measured."""

    def make(write: Write) -> Write:
        def writing(metrics: Metrics, kind: str, step: int, values: Mapping[str, Any]) -> None:
            write(metrics, kind, step, alter(kind, step, dict(values)))

        return writing

    return trainer.having(Metrics, "write", make)


@training.counter_example("losses_by_a_script", of="trainer")
def losses_by_a_script(trainer: Trainer) -> Trainer:
    """Report losses that fall by a formula: what a dry run shows, passed off as training."""

    def scripted(kind: str, step: int, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "loss": 4.4 - 0.022 * step if kind == "step" else 3.96 - 0.02 * step}

    return _writing(trainer, scripted)


@training.counter_example("placeholder", of="trainer")
def placeholder(trainer: Trainer) -> Trainer:
    """Report a loss of 1.0 wherever there should be one."""
    return _writing(trainer, lambda _, __, values: {**values, "loss": 1.0})


@training.counter_example("no_norm_of_gradients", of="trainer")
def no_norm_of_gradients(trainer: Trainer) -> Trainer:
    """Leave one of the fields out."""
    return _writing(
        trainer,
        lambda _, __, values: {name: value for name, value in values.items() if name != "gradient_norm"},
    )


@training.counter_example("seconds_for_milliseconds", of="trainer")
def seconds_for_milliseconds(trainer: Trainer) -> Trainer:
    """Write the time of a step in another unit."""

    def alter(kind: str, _: int, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "wall_ms": values["wall_ms"] / 1e3} if kind == "step" else values

    return _writing(trainer, alter)


@training.counter_example("no_step_is_made", of="trainer")
def no_step_is_made(trainer: Trainer) -> Trainer:
    """Compute gradients, and leave all weights as they are."""
    return trainer.having(torch.optim.AdamW, "step", lambda _: lambda *_, **__: None)


@training.counter_example("steps_uphill", of="trainer")
def steps_uphill(trainer: Trainer) -> Trainer:
    """Follow the gradient instead of going against it."""

    def make(clip: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def reversed_(module: Any, most: float) -> Tensor:
            for parameter in module.parameters():
                parameter.grad.neg_()
            return clip(module, most)

        return reversed_

    return trainer.having(loop, "clip", make)


@training.counter_example("order_by_the_clock", of="trainer")
def order_by_the_clock(trainer: Trainer) -> Trainer:
    """Shuffle the data by what the operating system has of randomness."""

    def make(kind: Callable[..., Batches]) -> Callable[..., Batches]:
        return lambda shards, length, _: kind(shards, length, int.from_bytes(os.urandom(4), "little"))

    return trainer.having(prepare, "Batches", make)


@training.counter_example("targets_not_moved", of="trainer")
def targets_not_moved(trainer: Trainer) -> Trainer:
    """Let each place predict the token that stands there."""

    def make(batch: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
        def still(self: Batches, position: int, size: int) -> tuple[Tensor, Tensor]:
            tokens, _ = batch(self, position, size)
            return tokens, tokens

        return still

    return trainer.having(Batches, "batch", make)


@training.counter_example("rate_does_not_fall", of="trainer")
def rate_does_not_fall(trainer: Trainer) -> Trainer:
    """Keep the peak of the learning rate from the first step to the last."""
    return trainer.having(loop, "learning_rate", lambda _: lambda _, *, peak, **__: peak)


@training.counter_example("checkpoint_without_moments", of="trainer")
def checkpoint_without_moments(trainer: Trainer) -> Trainer:
    """Save the weights alone."""
    return trainer.having(checkpoints, "_named_moments", lambda _: lambda *_: [])


@training.counter_example("synthetic_in_place_of_text", of="trainer")
def synthetic_in_place_of_text(trainer: Trainer) -> Trainer:
    """Make tokens up, and record them as the text that was named."""

    def make(read: Callable[..., Any]) -> Callable[..., Any]:
        def invented(*arguments: Any) -> Any:
            real = read(*arguments)
            made = made_up(arguments[-1], _LENGTH, 0)
            return type(real)(real.kind, made.training, real.held_out)

        return invented

    return trainer.having(prepare, "read_data", make)
