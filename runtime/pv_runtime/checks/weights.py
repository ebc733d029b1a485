"""What weights must be to be anybody's: finite, not mostly zero, and with a head of the vocabulary's size.

The damages are those that loading went wrong with: a file whose first part is zeros, a tensor that was
filled in, a head that was taken for its transpose.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pv.check import CheckError, Metric, Run, check
from pv_runtime.checks import damage
from pv_runtime.config import config_of
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo
from pv_runtime.quant.scheme import Floats

__all__ = ["EMBEDDING", "HEAD", "SPOTS", "row_norms", "weight_values", "zero_share"]

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
SPOTS = (0.1, 0.5, 0.9)
"""The parts of the vocabulary at which one token's row is looked at."""


@check(
    metrics=[
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("measured", unit="1", kind="count"),
        Metric("embedding_zero_share", unit="1", low=0.0, high=1.0),
        Metric("zero_share", unit="1", low=0.0, high=1.0),
        Metric("nonfinite", unit="1", kind="count"),
        Metric("spot_norm", unit="1", low=0.0),
        Metric("leading_zero_share", unit="1", low=0.0, high=1.0),
        Metric("head_rows", unit="1", kind="count"),
        Metric("head_columns", unit="1", kind="count"),
        Metric("vocabulary", unit="1", kind="count"),
        Metric("width", unit="1", kind="count"),
    ]
)
def weight_values(run: Run, *, model: Checkpoint) -> None:
    """Look at the values of every tensor, and at the shape of the embedding and the head.

    For each tensor, `nonfinite` values, and for each matrix but the embedding `zero_share`, the part of
    its values that is 0. Of the embedding `embedding_zero_share`, `leading_zero_share`, the part of its
    rows before the first that is not all 0, and `spot_norm`, the L2 norm of the rows at a tenth, the
    middle and nine tenths of the vocabulary. `head_rows` and `head_columns` are those of the head, or of
    the embedding where the two are tied; `vocabulary` and `width` are the config's.

    Raises
    ------
    LoadError
        A tensor cannot be read, or the model does not say what it is.
    """
    original: Checkpoint = run.undamaged("model")
    config = config_of(original)
    run.record("expected_tensors", len(original.names()))
    run.record("vocabulary", int(config["vocab_size"]))
    run.record("width", int(config["hidden_size"]))
    names = model.names()
    for name in run.progress(names, len(names)):
        values = model.tensor(name)
        run.record("nonfinite", int(values.size - np.count_nonzero(np.isfinite(values))), label=name)
        if name == EMBEDDING:
            norms = row_norms(values)
            run.record("embedding_zero_share", zero_share(values), label=name)
            run.record("leading_zero_share", _leading(norms), label=name)
            for spot in SPOTS:
                row = int(spot * len(norms))
                run.record("spot_norm", float(norms[row]), label=f"token {row}")
        elif values.ndim == 2:
            run.record("zero_share", zero_share(values), label=name)
    run.record("measured", len(names))
    for name in {HEAD if HEAD in original.names() else EMBEDDING} & set(names):
        rows, columns = model.info(name).shape
        run.record("head_rows", rows)
        run.record("head_columns", columns)


def zero_share(values: Floats) -> float:
    """Return the part of the values that is +0 or -0."""
    return 1.0 - int(np.count_nonzero(values)) / max(1, values.size)


def row_norms(values: Floats) -> Floats:
    """Return the L2 norm of each row, float64 ``[rows]``."""
    with np.errstate(invalid="ignore", over="ignore"):
        norms: Floats = np.sqrt(np.square(values.astype(np.float64)).sum(axis=1))
    return norms


def _leading(norms: Floats) -> float:
    alive = np.flatnonzero(norms != 0)
    return (int(alive[0]) if alive.size else len(norms)) / max(1, len(norms))


def changed(model: Checkpoint, name: str, change: Callable[[Floats], None]) -> Overlay:
    """View `model` with one tensor's values changed in place, in F32."""

    def values(read: Floats) -> Floats:
        copy = np.array(read)
        change(copy)
        return copy

    return damage.replaced_values(model, (name,), values, "F32")


@weight_values.counter_example("embedding_mostly_zero", of="model")
def embedding_mostly_zero(model: Checkpoint) -> Checkpoint:
    """Set six in ten values of the embedding to 0, here and there, so that no row is dead."""

    def change(values: Floats) -> None:
        values.reshape(-1)[np.arange(values.size) % 10 < 6] = 0

    return changed(model, EMBEDDING, change)


@weight_values.counter_example("matrix_filled_with_zeros", of="model")
def matrix_filled_with_zeros(model: Checkpoint) -> Checkpoint:
    """Fill a matrix with zeros, as a loader may that did not find it."""
    name = next((name for name in model.matrices() if name != EMBEDDING), None)
    if name is None:
        raise CheckError(f"{model.path} has no matrix but the embedding")
    return changed(model, name, lambda values: values.fill(0))


@weight_values.counter_example("one_nan", of="model")
def one_nan(model: Checkpoint) -> Checkpoint:
    """Put one NaN into the last tensor."""

    def change(values: Floats) -> None:
        values.reshape(-1)[values.size // 2] = np.nan

    return changed(model, model.names()[-1], change)


@weight_values.counter_example("one_infinity", of="model")
def one_infinity(model: Checkpoint) -> Checkpoint:
    """Put one infinity into the embedding."""

    def change(values: Floats) -> None:
        values[1, 0] = -np.inf

    return changed(model, EMBEDDING, change)


@weight_values.counter_example("leading_zeros", of="model")
def leading_zeros(model: Checkpoint) -> Checkpoint:
    """Set the first 94.5 % of the embedding's rows to 0, as an offset taken wrongly once did."""

    def change(values: Floats) -> None:
        values[: int(0.945 * len(values))] = 0

    return changed(model, EMBEDDING, change)


@weight_values.counter_example("dead_in_the_middle", of="model")
def dead_in_the_middle(model: Checkpoint) -> Checkpoint:
    """Set the fifth part of the rows around the middle to 0: less than half, and none of the first."""

    def change(values: Floats) -> None:
        values[2 * len(values) // 5 : 3 * len(values) // 5] = 0

    return changed(model, EMBEDDING, change)


def _head(model: Checkpoint) -> str:
    return HEAD if HEAD in model.names() else EMBEDDING


def _reshaped(model: Checkpoint, name: str, shape: tuple[int, ...], nbytes: int) -> Overlay:
    info = TensorInfo(name, model.info(name).dtype, shape, nbytes)
    return Overlay(model, replace={name: LazyTensor(info, lambda: model.raw(name)[:nbytes])})


@weight_values.counter_example("head_transposed", of="model")
def head_transposed(model: Checkpoint) -> Checkpoint:
    """List the head as [hidden, vocabulary]."""
    name = _head(model)
    info = model.info(name)
    return _reshaped(model, name, tuple(reversed(info.shape)), info.nbytes)


@weight_values.counter_example("head_too_short", of="model")
def head_too_short(model: Checkpoint) -> Checkpoint:
    """Give the head one row less than the vocabulary has."""
    name = _head(model)
    info = model.info(name)
    rows, columns = info.shape
    return _reshaped(model, name, (rows - 1, columns), info.nbytes - info.nbytes // rows)


@weight_values.counter_example("missing_tensor", of="model")
def missing_tensor(model: Checkpoint) -> Checkpoint:
    """Leave the last tensor out."""
    return damage.without_last(model)


@weight_values.counter_example("empty_model", of="model")
def empty_model(model: Checkpoint) -> Checkpoint:
    """Take every tensor away: nothing is measured, and nothing is wrong."""
    return damage.emptied(model)
