"""What `apr convert` writes, compared with what it was made from, tensor by tensor."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from pv.check import CheckError, Metric, Run, check
from pv_runtime.checks import damage, doses
from pv_runtime.compare import cosine
from pv_runtime.convert import QUANTISATIONS, convert
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["conversion_fidelity"]


@check(
    metrics=[
        Metric("cosine", unit="1", low=-1.0, high=1.0, slack=1e-12),
        Metric("differing_elements", unit="1", kind="count"),
        Metric("differing_vectors", unit="1", kind="count"),
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("compared", unit="1", kind="count"),
        Metric("one_sided", unit="1", kind="count"),
        Metric("of_main_type", unit="1", kind="count"),
        Metric("of_other_types", unit="1", kind="count"),
    ]
)
def conversion_fidelity(run: Run, *, source: Checkpoint, quantisation: str) -> None:
    """Convert `source` as `quantisation` says, read the file, and compare it with the source.

    For each matrix `cosine`, in float64, and `differing_elements`, whose bits differ as float32; for each
    vector, which every conversion keeps, `differing_vectors`, 1 where a value's bits differ.
    `of_main_type` counts the matrices in the type that the quantisation is named after, `of_other_types`
    the rest of them.

    Raises
    ------
    LoadError
        The source cannot be converted.
    QuantisationError
        A value cannot be represented.
    """
    if quantisation not in QUANTISATIONS:
        raise CheckError(f"there is no conversion {quantisation!r}; there are {', '.join(QUANTISATIONS)}")
    original: Checkpoint = run.undamaged("source")
    path = Path(run.scratch()) / "converted.gguf"
    convert(original, str(path), quantisation, with_tokenizer=False)
    converted: Checkpoint = run.role("converted", open_checkpoint(path))
    run.record("expected_tensors", len(original.names()))
    theirs = set(converted.names())
    one_sided = sorted(set(source.names()) ^ theirs)
    run.record("one_sided", len(one_sided), label=", ".join(one_sided[:8]) or None)
    main, matrices, of_main_type = QUANTISATIONS[quantisation][0], 0, 0
    common = [name for name in source.names() if name in theirs]
    for name in run.progress(common, len(common)):
        before, after = source.tensor(name), converted.tensor(name)
        differing = int(np.count_nonzero(before.view(np.uint32) != after.view(np.uint32)))
        if before.ndim != 2:
            run.record("differing_vectors", int(differing > 0), label=name)
            continue
        run.record("cosine", cosine(before, after), label=f"{name}: {converted.info(name).dtype}")
        run.record("differing_elements", differing, label=name)
        matrices += 1
        of_main_type += converted.info(name).dtype == main
    run.record("of_main_type", of_main_type)
    run.record("of_other_types", matrices - of_main_type)
    run.record("compared", len(common))


@conversion_fidelity.counter_example("flipped_tile", of="converted")
def flipped_tile(converted: Checkpoint) -> Checkpoint:
    """Turn the signs of one tile of a matrix, a quarter of its rows by a quarter of its columns."""

    def flip(values: Floats) -> Floats:
        turned = np.array(values)
        rows, columns = turned.shape
        turned[: -(-rows // 4), : -(-columns // 4)] *= -1
        return turned

    return damage.replaced_values(converted, converted.matrices()[:1], flip, "F32")


@conversion_fidelity.counter_example("flipped_bit", of="converted")
def flipped_bit(converted: Checkpoint) -> Checkpoint:
    """Turn one bit of one matrix, which only an exact conversion must not have."""
    name = converted.matrices()[0]
    turned = functools.partial(_turned, converted, name)
    return Overlay(converted, replace={name: LazyTensor(converted.info(name), turned)})


def _turned(model: Checkpoint, name: str) -> Bytes:
    raw = model.raw(name).copy()
    raw[raw.size // 2] ^= 0x01
    return raw


@conversion_fidelity.counter_example("matrix_left_as_it_was", of="converted")
def matrix_left_as_it_was(converted: Checkpoint, *, source: Checkpoint) -> Checkpoint:
    """Leave one matrix of the commonest type unquantised: nearer to the source than claimed, and larger."""
    types = [converted.info(name).dtype for name in converted.matrices()]
    name = converted.matrices()[types.index(max(types, key=types.count))]
    shape = converted.info(name).shape
    kept = from_values(name, shape, functools.partial(source.tensor, name), "F32")
    return Overlay(converted, replace={name: kept})


@conversion_fidelity.counter_example("vector_rounded", of="converted")
def vector_rounded(converted: Checkpoint) -> Checkpoint:
    """Round a vector to eight steps."""
    name = next(name for name in converted.names() if len(converted.info(name).shape) == 1)
    eighth = np.float32(8)
    return damage.replaced_values(converted, (name,), lambda values: np.rint(values * eighth) / eighth, "F32")


@conversion_fidelity.counter_example("swapped_tensors", of="converted")
def swapped_tensors(converted: Checkpoint) -> Checkpoint:
    """Exchange two matrices of one shape."""
    return damage.with_exchanged(converted)


@conversion_fidelity.counter_example("missing_tensor", of="converted")
def missing_tensor(converted: Checkpoint) -> Checkpoint:
    """Leave the last tensor out."""
    return damage.without_last(converted)


@conversion_fidelity.counter_example("extra_tensor", of="converted")
def extra_tensor(converted: Checkpoint) -> Checkpoint:
    """Add a matrix that the source does not have."""
    return damage.with_extra(converted)


@conversion_fidelity.counter_example("empty_sweep", of="source")
def empty_sweep(source: Checkpoint) -> Checkpoint:
    """Compare with nothing."""
    return damage.emptied(source)


@conversion_fidelity.dose("flipped_bits", of="converted")
def flipped_bits(converted: Checkpoint, amount: int, place: int) -> Checkpoint:
    """Turn bits of the converted file, anywhere."""
    return doses.flipped_bits(converted, amount, place)


@conversion_fidelity.dose("scaled_matrix", of="converted")
def scaled_matrix(converted: Checkpoint, amount: float, place: int) -> Checkpoint:
    """Scale one converted matrix."""
    return doses.scaled_matrix(converted, amount, place)


@conversion_fidelity.dose("negated_elements", of="converted")
def negated_elements(converted: Checkpoint, amount: int, place: int) -> Checkpoint:
    """Turn signs in one converted matrix."""
    return doses.negated_elements(converted, amount, place)
