"""How many weights a file stores, and how many its architecture has where the head is counted apart."""

from __future__ import annotations

import functools

from pv.check import Metric, Run, check
from pv_runtime.architecture import architecture_of
from pv_runtime.canonical import canonical
from pv_runtime.checks import damage
from pv_runtime.config import config_of
from pv_runtime.formats import Checkpoint, Overlay
from pv_runtime.formats.overlay import from_values

__all__ = ["stored_weights"]

_HEAD, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


@check(
    metrics=[
        Metric("tensors", unit="1", kind="count"),
        Metric("stored", unit="1", kind="count"),
        Metric("with_head", unit="1", kind="count"),
        Metric("stated", unit="1", kind="count"),
        Metric("stored_of_tensor", unit="1", kind="count"),
    ]
)
def stored_weights(run: Run, *, model: Checkpoint) -> None:
    """Count the weights of `model`, tensor by tensor, from the heads of its files.

    `stored` are all that are there, a tied head counted once; `with_head` those with a head of its own,
    whether or not there is one; `stated` those of the architecture that the file says it is of.
    """
    names = canonical(model, config_of(model)).names()
    sizes = {name: model.info(name).elements for name in model.names()}
    for name, size in sizes.items():
        run.record("stored_of_tensor", size, label=name)
    stored = sum(sizes.values())
    embedding = canonical(model, config_of(model)).info(_EMBEDDING).elements
    run.record("tensors", len(sizes))
    run.record("stored", stored)
    run.record("with_head", stored + (0 if _HEAD in names else embedding))
    run.record("stated", architecture_of(model).parameters)


@stored_weights.counter_example("layer_left_out", of="model")
def layer_left_out(model: Checkpoint) -> Checkpoint:
    """Leave a tensor out."""
    return damage.without_last(model)


@stored_weights.counter_example("tensor_too_many", of="model")
def tensor_too_many(model: Checkpoint) -> Checkpoint:
    """Add a tensor that nobody expects."""
    return damage.with_extra(model)


@stored_weights.counter_example("head_stored_twice", of="model")
def head_stored_twice(model: Checkpoint) -> Checkpoint:
    """Store the tied head a second time, under its own name."""
    shape = model.info(_EMBEDDING).shape
    head = from_values(_HEAD, shape, functools.partial(model.tensor, _EMBEDDING), "F32")
    return Overlay(model, add={_HEAD: head})
