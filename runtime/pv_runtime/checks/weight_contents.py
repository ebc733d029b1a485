"""Whether tensors say anything: longer than nothing, of more than one value, and with few dead rows."""

from __future__ import annotations

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.checks import damage
from pv_runtime.checks.weights import EMBEDDING, changed, row_norms
from pv_runtime.formats import Checkpoint
from pv_runtime.quant.scheme import Floats

__all__ = ["weight_contents"]

_DEAD = 1e-6


@check(
    metrics=[
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("norm", unit="1", low=0.0),
        Metric("one_value", unit="1", kind="count"),
        Metric("expected_matrices", unit="1", kind="count"),
        Metric("dead_row_share", unit="1", low=0.0, high=1.0),
    ]
)
def weight_contents(run: Run, *, model: Checkpoint) -> None:
    """Look at what each tensor holds.

    For each tensor, `norm`, the L2 norm of all its values, and `one_value`, 1 where all values are the same.
    For each matrix `dead_row_share`, the part of its rows whose norm is below 1e-6.
    """
    original: Checkpoint = run.undamaged("model")
    run.record("expected_tensors", len(original.names()))
    run.record("expected_matrices", len(original.matrices()))
    names = model.names()
    for name in run.progress(names, len(names), label=str):
        values = model.tensor(name)
        run.record("norm", float(np.sqrt(np.square(values.astype(np.float64)).sum())), label=name)
        run.record("one_value", int(values.size == 0 or values.min() == values.max()), label=name)
        if values.ndim == 2:
            dead = np.count_nonzero(row_norms(values) < _DEAD)
            run.record("dead_row_share", int(dead) / max(1, len(values)), label=name)


@weight_contents.counter_example("bias_of_zeros", of="model")
def bias_of_zeros(model: Checkpoint) -> Checkpoint:
    """Fill a bias with zeros, as a loader may that did not find it."""
    name = next(name for name in model.names() if name.endswith("bias"))
    return changed(model, name, lambda values: values.fill(0))


@weight_contents.counter_example("norm_of_ones", of="model")
def norm_of_ones(model: Checkpoint) -> Checkpoint:
    """Leave the last norm as it is made before training: nothing is zero, and nothing is said."""
    return changed(model, "model.norm.weight", lambda values: values.fill(1))


@weight_contents.counter_example("third_of_the_rows_dead", of="model")
def third_of_the_rows_dead(model: Checkpoint) -> Checkpoint:
    """Set every third row of the embedding to 0: less than half of the values, here and there."""

    def change(values: Floats) -> None:
        values[::3] = 0

    return changed(model, EMBEDDING, change)


@weight_contents.counter_example("missing_tensor", of="model")
def missing_tensor(model: Checkpoint) -> Checkpoint:
    """Leave the last tensor out."""
    return damage.without_last(model)


@weight_contents.dose("dead_rows", of="model")
def dead_rows(model: Checkpoint, amount: float, place: int) -> Checkpoint:
    """Set a share `amount` of the embedding's rows to 0, neighbours from one of three places on."""

    def change(values: Floats) -> None:
        start = place % 3 * len(values) // 3
        rows = (start + np.arange(round(amount * len(values)))) % len(values)
        values[rows] = 0

    return changed(model, EMBEDDING, change)
