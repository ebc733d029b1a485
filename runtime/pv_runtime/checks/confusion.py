"""One block format's bytes read as another's: how far off that is, and so whether anybody would notice."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.checks import damage
from pv_runtime.compare import relative_rmse
from pv_runtime.formats import Checkpoint, Overlay
from pv_runtime.formats.quantised import quantisable
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["confused_formats"]

Decoders = Mapping[str, Callable[[Bytes], Floats]]

_UNREADABLE = np.float32(2.0**28)
"""Stands for a value that is not finite: larger than any that a block format holds."""


@check(
    metrics=[
        Metric("own_error", unit="1", low=0.0),
        Metric("confused_error", unit="1", low=0.0),
        Metric("expected_pairs", unit="1", kind="count"),
        Metric("expected_matrices", unit="1", kind="count"),
    ]
)
def confused_formats(run: Run, *, model: Checkpoint) -> None:
    """Quantise a row of every matrix to every block format, and decode it with each format's decoder.

    The relative error |a - D(Q(a))| / |a| is `own_error` where Q and D are one format's, and
    `confused_error` where they are two's: as many whole blocks as the bytes hold are decoded then, and
    compared as far as both sides go. A decoded value that is not finite counts as 2^28.
    `expected_matrices` counts matrices of the undamaged model that every format can hold;
    `expected_pairs` ordered pairs of two formats, for each of these.

    Raises
    ------
    LoadError
        A tensor cannot be read.
    QuantisationError
        A value cannot be represented.
    """
    original: Checkpoint = run.undamaged("model")
    decoders: Decoders = run.role("decoders", {name: form.dequantise for name, form in SCHEMES.items()})
    wanted = _held_by_all(original)
    run.record("expected_matrices", len(wanted))
    run.record("expected_pairs", len(wanted) * len(SCHEMES) * (len(SCHEMES) - 1))
    names = _held_by_all(model)
    for name in run.progress(names, len(names)):
        values = np.ascontiguousarray(model.tensor(name)[:16]).reshape(-1)
        for written, form in SCHEMES.items():
            raw = form.quantise(values)
            for read in SCHEMES:
                metric = "own_error" if read == written else "confused_error"
                error = _error(values, raw, decoders[read], SCHEMES[read].block_bytes)
                run.record(metric, error, label=f"{name}: {written} as {read}")


def _held_by_all(model: Checkpoint) -> tuple[str, ...]:
    fitting = [set(quantisable(model, form)) for form in SCHEMES.values()]
    return tuple(name for name in model.matrices() if all(name in names for names in fitting))


def _error(values: Floats, raw: Bytes, decode: Callable[[Bytes], Floats], block: int) -> float:
    decoded = decode(raw[: raw.size // block * block])
    common = min(values.size, decoded.size)
    found = np.where(np.isfinite(decoded[:common]), decoded[:common], _UNREADABLE).astype(np.float32)
    return relative_rmse(values[:common], found)


@confused_formats.counter_example("formats_not_told_apart", of="decoders")
def formats_not_told_apart(decoders: Decoders) -> Decoders:
    """Decode Q5_K's bytes by Q4_K's layout under either name."""
    return {**decoders, "Q5_K": lambda raw: decoders["Q4_K"](raw[: raw.size // 144 * 144])}


@confused_formats.counter_example("hides_what_it_cannot_read", of="decoders")
def hides_what_it_cannot_read(decoders: Decoders) -> Decoders:
    """Answer with zeros whatever the bytes: an error of exactly 1 that says nothing."""

    def zeros(decode: Callable[[Bytes], Floats]) -> Callable[[Bytes], Floats]:
        return lambda raw: np.zeros_like(decode(raw))

    return {name: zeros(decode) for name, decode in decoders.items()}


@confused_formats.counter_example("missing_matrix", of="model")
def missing_matrix(model: Checkpoint) -> Checkpoint:
    """Leave the first matrix out."""
    return Overlay(model, drop=_held_by_all(model)[:1])


@confused_formats.counter_example("empty_sweep", of="model")
def empty_sweep(model: Checkpoint) -> Checkpoint:
    """Take every tensor away: nothing is confused."""
    return damage.emptied(model)
