"""The loss that a run begins at: its init's own, as recorded elsewhere, and ln V without one."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.checks.trainer import (
    Trainer,
    folder_of,
    of_altered_weights,
    of_random_weights,
    random_shards,
    words,
)
from pv_runtime.formats import Checkpoint
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.pretrain import prepare, trainable
from pv_runtime.provenance import file_sha256

__all__ = ["first_loss"]

_SCRATCH_WINDOWS = 4


@check(
    metrics=[
        Metric("recorded_of_this_model", unit="1", kind="count"),
        Metric("recorded_of_this_text", unit="1", kind="count"),
        Metric("recorded_loss", unit="nat", low=0.0),
        Metric("init_loss", unit="nat", low=0.0),
        Metric("differs_from_record", unit="nat", low=0.0),
        Metric("scratch_loss", unit="nat", low=0.0),
        Metric("scratch_over_uniform", unit="nat"),
        Metric("gap", unit="nat"),
        Metric("gap_of_uniform", unit="1"),
    ]
)
def first_loss(run: Run, *, model: Checkpoint, card: FileBytes, text: FileBytes) -> None:
    """Hold out `text`, begin with `model` and begin with nothing, and make no step.

    `card` is JSON that whoever made the model wrote beside it, with a program of his own: ``held_out_loss``
    in nats a token, of windows of ``held_out_window`` tokens, and the ``sha256`` of the files it is of.
    `init_loss` is what the trainer has for the same windows; `scratch_loss` what it has for the first of them
    without an init, and `scratch_over_uniform` that less ln V; `gap` is the one less the other, and
    `gap_of_uniform` that as a share of ln V.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    stated = json.loads(Path(card.path).read_bytes())
    weights = file_sha256(str(folder_of(model) / "model.safetensors"))
    run.record("recorded_of_this_model", int(stated["sha256"]["model.safetensors"] == weights))
    digest = file_sha256(text.path)
    run.record("recorded_of_this_text", int(digest in stated["sha256"].values()))
    rows = model.info("model.embed_tokens.weight").shape[0]
    common: dict[str, Any] = {
        "dataset": random_shards(folder / "shards", vocabulary=rows, tokens=2000),
        "tokenizer": folder_of(model),
        "val_shard": Path(text.path).resolve(),
        "seq_length": stated["held_out_window"],
        "batch_size": 4,
        "num_steps": 0,
        "warmup_steps": 0,
    }
    began = trainer.run(words(folder / "init", init=folder_of(model), **common))
    loss = began.report["initial_val_loss"]
    run.record("recorded_loss", stated["held_out_loss"])
    run.record("init_loss", loss)
    run.record("differs_from_record", abs(loss - stated["held_out_loss"]))
    scratch = {"architecture": folder_of(model), "val_windows": _SCRATCH_WINDOWS}
    nothing = trainer.run(words(folder / "scratch", **common, **scratch)).report["initial_val_loss"]
    run.record("scratch_loss", nothing)
    run.record("scratch_over_uniform", nothing - math.log(rows))
    run.record("gap", nothing - loss)
    run.record("gap_of_uniform", (nothing - loss) / math.log(rows))


@first_loss.counter_example("weights_drawn_at_random", of="trainer")
def weights_drawn_at_random(trainer: Trainer) -> Trainer:
    """Check the init, and then draw all weights as if there were none."""
    return of_random_weights(trainer)


@first_loss.counter_example("square_tensor_transposed", of="trainer")
def square_tensor_transposed(trainer: Trainer) -> Trainer:
    """Read one square matrix as [in, out]: no shape shows it."""

    def alter(weights: dict[str, Tensor]) -> None:
        name = next(
            name
            for name, values in weights.items()
            if values.ndim == 2 and values.shape[0] == values.shape[1]
        )
        weights[name] = weights[name].T.contiguous()

    return of_altered_weights(trainer, alter)


@first_loss.counter_example("one_layer_random", of="trainer")
def one_layer_random(trainer: Trainer) -> Trainer:
    """Leave one feed-forward as it was drawn."""

    def alter(weights: dict[str, Tensor]) -> None:
        generator = torch.Generator().manual_seed(0)
        for name, values in weights.items():
            if name.startswith("model.layers.2.mlp."):
                values.normal_(0.0, 0.02, generator=generator)

    return of_altered_weights(trainer, alter)


@first_loss.counter_example("rotary_base_assumed", of="trainer")
def rotary_base_assumed(trainer: Trainer) -> Trainer:
    """Take a rotary base of 10000, whatever the init says."""

    def make(angles: Callable[..., Any]) -> Callable[..., Any]:
        def assumed(a: Any, *where: Any) -> Any:
            return angles(dataclasses.replace(a, rope_theta=1e4), *where)

        return assumed

    return trainer.having(trainable, "angles", make)


@first_loss.counter_example("scratch_begins_too_wide", of="trainer")
def scratch_begins_too_wide(trainer: Trainer) -> Trainer:
    """Draw weights with a deviation of 1, as a framework's embedding has."""

    def make(draw: Callable[..., dict[str, Tensor]]) -> Callable[..., dict[str, Tensor]]:
        def wide(*arguments: Any) -> dict[str, Tensor]:
            weights = draw(*arguments)
            weights["model.embed_tokens.weight"] *= 50
            return weights

        return wide

    return trainer.having(prepare, "draw", make)
