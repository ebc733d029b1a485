"""Quantisation fidelity: how far a block format carries weights from a source that is not its own.

A cosine floor over a whole tensor cannot see everything: one inverted byte in a Q4_K block leaves
0.999989 of a cosine whose floor is about 0.99. Only defects that a floor can see are planted here;
exactness is `packaging_fidelity`'s claim, and that sees single bits.
"""

from __future__ import annotations

from pv.check import CheckError, Metric, Run, check
from pv_runtime.checks import damage, doses
from pv_runtime.compare import cosine, relative_rmse
from pv_runtime.formats import Checkpoint
from pv_runtime.formats.quantised import quantisable, quantised_view
from pv_runtime.quant import Scheme, scheme_named
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["quantisation_fidelity"]


@check(
    metrics=[
        Metric("cosine", unit="1", low=-1.0, high=1.0, slack=1e-12),
        Metric("relative_rmse", unit="1", low=0.0),
        Metric("requantisation_rmse", unit="1", low=0.0),
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("quantised", unit="1", kind="count"),
        Metric("skipped_rows", unit="1", kind="count"),
        Metric("one_sided", unit="1", kind="count"),
    ]
)
def quantisation_fidelity(run: Run, *, source: Checkpoint, scheme: str) -> None:
    """Quantise every matrix of `source` to `scheme` and compare it, dequantised, with the source.

    For each matrix, `cosine` and `relative_rmse` between the source and the candidate, and
    `requantisation_rmse`, the same between the source and its own quantisation: a source that lies
    on the grid of the scheme, because it is somebody's dequantisation, shows next to none.
    `expected_tensors` counts the matrices of the undamaged source that the scheme can hold,
    `skipped_rows` those whose rows are no whole number of blocks.

    Raises
    ------
    LoadError
        A tensor cannot be read.
    QuantisationError
        There is no such scheme, or a value that it cannot represent.
    """
    form = scheme_named(scheme)
    original: Checkpoint = run.undamaged("source")
    run.record("expected_tensors", len(quantisable(original, form)))
    run.record("skipped_rows", len(source.matrices()) - len(quantisable(source, form)))
    own = quantised_view(source, form)
    candidate: Checkpoint = run.role("candidate", own)
    one_sided = sorted(set(own.names()) ^ set(candidate.names()))
    run.record("one_sided", len(one_sided), label=", ".join(one_sided[:8]) or None)
    common = [name for name in own.names() if name not in set(one_sided)]
    for name in run.progress(common, len(common), label=str):
        values, requantised = source.tensor(name), own.tensor(name)
        decoded = requantised if candidate is own else candidate.tensor(name)
        run.record("cosine", cosine(values, decoded), label=name)
        run.record("relative_rmse", relative_rmse(values, decoded), label=name)
        run.record("requantisation_rmse", relative_rmse(values, requantised), label=name)
    run.record("quantised", sum(candidate.info(name).dtype == form.name for name in common))


@quantisation_fidelity.counter_example("flipped_tile", of="candidate")
def flipped_tile(candidate: Checkpoint, *, scheme: str) -> Checkpoint:
    """Turn the signs of one tile, a quarter of the rows by a quarter of the columns."""
    del scheme
    name = damage.first_quantised(candidate)

    def flip(values: Floats) -> Floats:
        rows, columns = values.shape
        values[: -(-rows // 4), : -(-columns // 4)] *= -1
        return values

    return damage.replaced_values(candidate, (name,), flip, "F32")


@quantisation_fidelity.counter_example("wrong_block_scale", of="candidate")
def wrong_block_scale(candidate: Checkpoint) -> Checkpoint:
    """Flip the top exponent bit of one block's fp16 scale: a factor of 65536, or its inverse.

    Twice the scale would leave a tensor's cosine at 0.998 of its value.
    """

    def edit(block: Bytes, scheme: Scheme) -> Bytes:
        block[scheme.scale[1]] ^= 0x40
        return block

    return damage.edit_block(candidate, edit)


@quantisation_fidelity.counter_example("missing_tensor", of="candidate")
def missing_tensor(candidate: Checkpoint) -> Checkpoint:
    """Leave the last matrix out of the candidate."""
    return damage.without_last(candidate)


@quantisation_fidelity.counter_example("extra_tensor", of="candidate")
def extra_tensor(candidate: Checkpoint) -> Checkpoint:
    """Add a matrix that the source does not have."""
    return damage.with_extra(candidate)


@quantisation_fidelity.counter_example("swapped_tensors", of="candidate")
def swapped_tensors(candidate: Checkpoint) -> Checkpoint:
    """Exchange two matrices of equal shape: the wrong tensors are paired."""
    return damage.with_exchanged(candidate)


@quantisation_fidelity.counter_example("empty_sweep", of="source")
def empty_sweep(source: Checkpoint) -> Checkpoint:
    """Take every tensor of the source away: nothing is quantised, and nothing falls below a floor."""
    return damage.emptied(source)


@quantisation_fidelity.counter_example("source_is_own_dequantisation_fp16", of="source")
def source_is_own_dequantisation_fp16(source: Checkpoint, *, scheme: str) -> Checkpoint:
    """Pass the dequantised file off as the source, rounded to fp16 as such files are published."""
    return _own_dequantisation(source, scheme, "F16")


@quantisation_fidelity.counter_example("source_is_own_dequantisation_fp32", of="source")
def source_is_own_dequantisation_fp32(source: Checkpoint, *, scheme: str) -> Checkpoint:
    """Pass the dequantised file off as the source, unrounded."""
    return _own_dequantisation(source, scheme, "F32")


def _own_dequantisation(source: Checkpoint, scheme: str, dtype: str) -> Checkpoint:
    form = scheme_named(scheme)
    names = quantisable(source, form)
    if not names:
        raise CheckError(f"{source.path} has no matrix that {form.name} can hold")

    def requantised(values: Floats) -> Floats:
        return form.dequantise(form.quantise(values.reshape(-1))).reshape(values.shape)

    return damage.replaced_values(source, names, requantised, dtype)


@quantisation_fidelity.dose("scaled_matrix", of="candidate")
def scaled_matrix(candidate: Checkpoint, amount: float, place: int) -> Checkpoint:
    """Scale one quantised matrix."""
    return doses.scaled_matrix(candidate, amount, place)


@quantisation_fidelity.dose("negated_elements", of="candidate")
def negated_elements(candidate: Checkpoint, amount: int, place: int) -> Checkpoint:
    """Turn signs in one quantised matrix."""
    return doses.negated_elements(candidate, amount, place)
