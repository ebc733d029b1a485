"""What a run begins with: exactly its init's weights, no moments, step 0; and the same bytes each time."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pv.check import Metric, Run, check
from pv_runtime.architecture import Architecture, tensor_shapes
from pv_runtime.checks.trainer import (
    SMALL,
    Ended,
    Trainer,
    folder_of,
    of_altered_weights,
    of_random_weights,
    random_init,
    random_shards,
    remove,
    words,
)
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.pretrain import checkpoints, model_files, prepare
from pv_runtime.pretrain.loop import Run as Training

__all__ = ["fresh_start", "same_bytes"]

UNTIED = dataclasses.replace(SMALL, tied=False)


@check(
    metrics=[
        Metric("inits", unit="1", kind="count"),
        Metric("tensors", unit="1", kind="count"),
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("differing_values", unit="1", kind="count"),
        Metric("moments", unit="1", kind="count"),
        Metric("first_step", unit="1", kind="count"),
        Metric("first_position", unit="1", kind="count"),
        Metric("differing_updates", unit="1", kind="count"),
    ]
)
def fresh_start(run: Run, *, tokenizer: Checkpoint) -> None:
    """Begin with a plain model, with one whose head is its own, and with a run's checkpoint of three steps.

    Of each, `differing_values` are the values of the first checkpoint whose bits are not the init's, by
    tensor (all of one that is missing), `moments` those that it holds of an optimiser, `first_step` and
    `first_position` what it says of steps and sequences. `differing_updates` are the weights that one step
    changes otherwise than it changes them where the folder of moments was taken away from the init.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    common = {"dataset": random_shards(folder / "shards"), "tokenizer": folder_of(tokenizer)}
    plain = random_init(folder / "plain")
    # A source that was trained before, and carries moments, a step and a position.
    trained = Trainer().run(words(folder / "before", init=plain, **{**common, "num_steps": 3})).latest
    untied = random_init(folder / "untied", UNTIED)
    inits = {"plain": plain, "untied": untied, "carries moments": trained}
    for name, init in inits.items():
        ended = trainer.run(words(folder / f"run {name}", init=init, **{**common, "num_steps": 0}))
        _record_start(run, name, init, ended)
    run.record("inits", len(inits))
    bare = folder / "bare"
    shutil.copytree(trained, bare, symlinks=True)
    remove(bare / checkpoints.TRAINING)
    with_moments, without = (
        open_checkpoint(trainer.run(words(folder / f"step of {init.name}", init=init, **common)).latest)
        for init in (trained, bare)
    )
    for name in without.names():
        run.record("differing_updates", _differing(with_moments, without, name), label=name)


def _record_start(run: Run, name: str, init: Path, ended: Ended) -> None:
    source, first = open_checkpoint(init), open_checkpoint(ended.latest)
    expected = [each for each, _ in tensor_shapes(UNTIED if name == "untied" else SMALL)]
    run.record("expected_tensors", len(expected), label=name)
    run.record("tensors", len(first.names()), label=name)
    for tensor in expected:
        run.record("differing_values", _differing(first, source, tensor), label=f"{name}: {tensor}")
    training = ended.latest / checkpoints.TRAINING
    moments = open_checkpoint(training / "optimiser.safetensors")
    run.record("moments", sum(moments.info(each).elements for each in moments.names()), label=name)
    state = json.loads((training / "state.json").read_bytes())
    run.record("first_step", int(state["step"]), label=name)
    run.record("first_position", int(state["sequences"]), label=name)


def _differing(ours: Checkpoint, theirs: Checkpoint, name: str) -> int:
    other = theirs.tensor(name)
    if name not in ours.names() or ours.info(name).shape != theirs.info(name).shape:
        return other.size
    return int(np.count_nonzero(ours.tensor(name).view(np.uint32) != other.view(np.uint32)))


Weights = Mapping[str, Tensor]


@fresh_start.counter_example("weights_drawn_at_random", of="trainer")
def weights_drawn_at_random(trainer: Trainer) -> Trainer:
    """Check the init, and then draw all weights as if there were none."""
    return of_random_weights(trainer)


@fresh_start.counter_example("one_layer_random", of="trainer")
def one_layer_random(trainer: Trainer) -> Trainer:
    """Leave the last layer as it was drawn."""

    def alter(weights: dict[str, Tensor]) -> None:
        generator = torch.Generator().manual_seed(0)
        for name, values in weights.items():
            if name.startswith("model.layers.1.") and values.ndim == 2:
                values.normal_(0.0, 0.02, generator=generator)

    return of_altered_weights(trainer, alter)


@fresh_start.counter_example("one_value_rounded", of="trainer")
def one_value_rounded(trainer: Trainer) -> Trainer:
    """Round one norm to bfloat16 on the way."""

    def alter(weights: dict[str, Tensor]) -> None:
        weights["model.norm.weight"] = weights["model.norm.weight"].bfloat16().float()

    return of_altered_weights(trainer, alter)


@fresh_start.counter_example("head_untied", of="trainer")
def head_untied(trainer: Trainer) -> Trainer:
    """Give a tied model a head of its own, a copy of its embedding: both are then trained apart."""

    def make(assemble: Callable[[Architecture, Weights], Any]) -> Callable[[Architecture, Weights], Any]:
        def apart(architecture: Architecture, weights: Weights) -> Any:
            head = {"lm_head.weight": weights["model.embed_tokens.weight"].clone()}
            return assemble(dataclasses.replace(architecture, tied=False), {**head, **weights})

        return apart

    return trainer.having(prepare, "assemble", make)


@fresh_start.counter_example("head_tied_that_is_not", of="trainer")
def head_tied_that_is_not(trainer: Trainer) -> Trainer:
    """Take the embedding for the head of a model that has one of its own."""

    def alter(weights: dict[str, Tensor]) -> None:
        if "lm_head.weight" in weights:
            weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()

    return of_altered_weights(trainer, alter)


@fresh_start.counter_example("moments_carried_over", of="trainer")
def moments_carried_over(trainer: Trainer) -> Trainer:
    """Take up the moments that lie beside the init's weights."""
    return _restoring(trainer, lambda training, _: training)


@fresh_start.counter_example("step_carried_over", of="trainer")
def step_carried_over(trainer: Trainer) -> Trainer:
    """Go on counting where the init's run had ended."""

    def go_on(training: Training, saved: checkpoints.Saved) -> Training:
        training.optimiser.state.clear()
        settings = dataclasses.replace(training.settings, num_steps=training.settings.num_steps + saved.step)
        return dataclasses.replace(training, step=saved.step, settings=settings)

    return _restoring(trainer, go_on)


def _restoring(trainer: Trainer, then: Callable[[Training, checkpoints.Saved], Training]) -> Trainer:
    """Let a run that begins restore what its init's folder holds of a run."""

    def make(whole: Callable[[Any], prepare.Prepared]) -> Callable[[Any], prepare.Prepared]:
        def preparing(request: Any) -> prepare.Prepared:
            prepared = whole(request)
            if not (Path(request.init) / checkpoints.TRAINING).is_dir():
                return prepared
            saved = checkpoints.load(Path(request.init))
            checkpoints.restore(saved, prepared.run.module, prepared.run.optimiser)
            return dataclasses.replace(prepared, run=then(prepared.run, saved))

        return preparing

    return trainer.having(prepare, "prepare", make)


@check(
    metrics=[
        Metric("pairs", unit="1", kind="count"),
        Metric("files", unit="1", kind="count"),
        Metric("differing_files", unit="1", kind="count"),
        Metric("values_of_another_seed", unit="1", kind="count"),
    ]
)
def same_bytes(run: Run, *, tokenizer: Checkpoint) -> None:
    """Make checkpoints of no steps twice: of an init, from nothing, and from nothing on made-up data.

    `differing_files` are the files of a checkpoint that are not the same bytes, by pair, or are in one only.
    `values_of_another_seed` counts the values of an embedding from nothing that are others at another seed.
    """
    trainer: Trainer = run.role("trainer", Trainer())
    folder = Path(run.scratch())
    init = random_init(folder / "init")
    data = {"dataset": random_shards(folder / "shards"), "tokenizer": folder_of(tokenizer)}
    nothing = {"num_steps": 0, "warmup_steps": 0}
    kinds: dict[str, dict[str, Any]] = {
        "init": {"init": init, **data},
        "from scratch": {"architecture": init, **data},
        "synthetic": {"architecture": init, "synthetic": True},
    }
    for kind, options in kinds.items():
        one, two = (
            _bytes(trainer.run(words(folder / f"{kind} {n}", seed=42, **{**options, **nothing})).latest)
            for n in (1, 2)
        )
        run.record("files", len(one), label=kind)
        differing = [name for name in {**one, **two} if one.get(name) != two.get(name)]
        run.record("differing_files", len(differing), label=", ".join([kind, *differing]))
    run.record("pairs", len(kinds))
    other = words(folder / "other", seed=43, **{**kinds["from scratch"], **nothing})
    weights = open_checkpoint(trainer.run(other).latest)
    first = open_checkpoint(folder / "from scratch 1" / checkpoints.FOLDER / checkpoints.LATEST)
    run.record("values_of_another_seed", _differing(weights, first, "model.embed_tokens.weight"))


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@same_bytes.counter_example("drawn_by_the_clock", of="trainer")
def drawn_by_the_clock(trainer: Trainer) -> Trainer:
    """Seed the weights by what the operating system has of randomness."""

    def make(draw: Callable[[Architecture, int], Weights]) -> Callable[[Architecture, int], Weights]:
        return lambda architecture, _: draw(architecture, int.from_bytes(os.urandom(4), "little"))

    return trainer.having(prepare, "draw", make)


@same_bytes.counter_example("seed_not_used", of="trainer")
def seed_not_used(trainer: Trainer) -> Trainer:
    """Draw the same weights at every seed."""
    return trainer.having(prepare, "draw", lambda draw: lambda architecture, _: draw(architecture, 0))


@same_bytes.counter_example("number_of_the_run_in_it", of="trainer")
def number_of_the_run_in_it(trainer: Trainer) -> Trainer:
    """Write into the model's metadata which run of the day it was, as one writes the time."""
    count = itertools.count()

    def make(metadata: Callable[[Any, int], dict[str, str]]) -> Callable[[Any, int], dict[str, str]]:
        return lambda files, step: {**metadata(files, step), "made": str(next(count))}

    return trainer.having(model_files.ModelFiles, "metadata", make)
