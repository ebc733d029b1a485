"""The gates that a model must pass at a level: all eight, or of a stand-in those that can be carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pv.check import Metric, Run, check
from pv_runtime.checks import gates as all_gates
from pv_runtime.formats import Checkpoint

__all__ = ["required_gates"]


@check(
    metrics=[
        Metric("asked", unit="1", kind="count"),
        Metric("passed", unit="1", kind="count"),
        Metric("failed", unit="1", kind="count"),
        Metric("declined", unit="1", kind="count"),
        Metric("registered", unit="1", kind="count"),
    ]
)
def required_gates(run: Run, *, model: Checkpoint, gates: Mapping[str, Sequence[str]]) -> None:
    """Put `model` through the `gates` of this level, and record as `gates.gates_of_a_model` does."""
    all_gates.gates_of_a_model(run, model=model, gates=gates[run.level])


@required_gates.counter_example("one_weight_is_nan", of="model")
def one_weight_is_nan(model: Checkpoint) -> Checkpoint:
    """Make one weight NaN."""
    return all_gates.one_weight_is_nan(model)


@required_gates.counter_example("embedding_mostly_zeros", of="model")
def embedding_mostly_zeros(model: Checkpoint) -> Checkpoint:
    """Let the embedding begin with zeros."""
    return all_gates.embedding_mostly_zeros(model)


@required_gates.counter_example("family_unknown", of="model")
def family_unknown(model: Checkpoint) -> Checkpoint:
    """Say that it is a mamba."""
    return all_gates.family_unknown(model)
