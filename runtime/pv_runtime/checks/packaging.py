"""Packaging fidelity: a published fp16 twin is the quantised file dequantised, in every element."""

from __future__ import annotations

from pv.check import Metric, Run, check
from pv_runtime.checks import damage, doses
from pv_runtime.compare import cosine, differing_elements
from pv_runtime.formats import Checkpoint
from pv_runtime.provenance import DERIVED_FROM, file_sha256
from pv_runtime.quant import SCHEMES, Scheme
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["packaging_fidelity"]


@check(
    metrics=[
        Metric("cosine", unit="1", low=-1.0, high=1.0, slack=1e-12),
        Metric("differing_elements", unit="1", kind="count"),
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("compared", unit="1", kind="count"),
        Metric("one_sided", unit="1", kind="count"),
        Metric("shape_mismatches", unit="1", kind="count"),
        Metric("block_quantised", unit="1", kind="count"),
        Metric("twin_fp16", unit="1", kind="count"),
        Metric("derived", unit="1", kind="count"),
    ]
)
def packaging_fidelity(run: Run, *, quantised: Checkpoint, twin: Checkpoint) -> None:
    """Compare every tensor of a quantised file, dequantised, with its twin.

    For each tensor on both sides with one shape, `cosine` in float64 and `differing_elements`, the
    elements whose bits differ after rounding both sides to fp16. `expected_tensors` counts those of
    the undamaged quantised file; `one_sided` those on one side only; `block_quantised` and
    `twin_fp16` say what was compared with what. `derived` is 1 if the twin's metadata names the
    sha256 of the quantised file, as digested now, as what it was made from.

    Raises
    ------
    LoadError
        A tensor cannot be read.
    """
    original: Checkpoint = run.undamaged("quantised")
    run.record("expected_tensors", len(original.names()))
    run.record("derived", int(twin.metadata.get(DERIVED_FROM) == file_sha256(original.path)))
    ours, theirs = set(quantised.names()), set(twin.names())
    one_sided = sorted(ours ^ theirs)
    run.record("one_sided", len(one_sided), label=", ".join(one_sided[:8]) or None)
    compared = mismatches = 0
    common = [name for name in quantised.names() if name in theirs]
    for name in run.progress(common, len(common), label=str):
        if quantised.info(name).shape != twin.info(name).shape:
            mismatches += 1
            continue
        decoded, published = quantised.tensor(name), twin.tensor(name)
        run.record("cosine", cosine(decoded, published), label=name)
        run.record("differing_elements", differing_elements(decoded, published), label=name)
        compared += 1
    run.record("compared", compared)
    run.record("shape_mismatches", mismatches)
    run.record("block_quantised", sum(quantised.info(name).dtype in SCHEMES for name in common))
    run.record("twin_fp16", sum(twin.info(name).dtype == "F16" for name in common))


@packaging_fidelity.counter_example("inverted_byte", of="quantised")
def inverted_byte(quantised: Checkpoint) -> Checkpoint:
    """Invert one byte of codes in one block."""

    def edit(block: Bytes, scheme: Scheme) -> Bytes:
        block[scheme.codes[len(scheme.codes) // 2]] ^= 0xFF
        return block

    return damage.edit_block(quantised, edit)


@packaging_fidelity.counter_example("flipped_nibble", of="quantised")
def flipped_nibble(quantised: Checkpoint) -> Checkpoint:
    """Change one nibble by its lowest bit: with 4-bit codes, one value by one step."""

    def edit(block: Bytes, scheme: Scheme) -> Bytes:
        block[scheme.codes[len(scheme.codes) // 2]] ^= 0x01
        return block

    return damage.edit_block(quantised, edit)


@packaging_fidelity.counter_example("wrong_block_scale", of="quantised")
def wrong_block_scale(quantised: Checkpoint) -> Checkpoint:
    """Replace one block's fp16 scale by its neighbour in fp16: the last bit of one scale."""

    def edit(block: Bytes, scheme: Scheme) -> Bytes:
        block[scheme.scale[0]] ^= 0x01
        return block

    return damage.edit_block(quantised, edit)


@packaging_fidelity.counter_example("missing_tensor", of="quantised")
def missing_tensor(quantised: Checkpoint) -> Checkpoint:
    """Leave the last tensor out of the quantised file."""
    return damage.without_last(quantised)


@packaging_fidelity.counter_example("extra_tensor", of="twin")
def extra_tensor(twin: Checkpoint) -> Checkpoint:
    """Add a tensor to the twin that the quantised file does not have."""
    return damage.with_extra(twin)


@packaging_fidelity.counter_example("swapped_tensors", of="quantised")
def swapped_tensors(quantised: Checkpoint) -> Checkpoint:
    """Exchange two tensors of equal shape."""
    return damage.with_exchanged(quantised)


@packaging_fidelity.counter_example("empty_sweep", of="quantised")
def empty_sweep(quantised: Checkpoint) -> Checkpoint:
    """Take every tensor away: nothing is compared, and nothing differs."""
    return damage.emptied(quantised)


@packaging_fidelity.counter_example("foreign_twin", of="twin")
def foreign_twin(twin: Checkpoint) -> Checkpoint:
    """Make the twin from another quantised file of the same model, keeping its metadata.

    Q8_0 stands for the other file: its values are nearer to the original than most, so that only an
    exact comparison tells them apart.
    """
    other = SCHEMES["Q8_0"]

    def requantised(values: Floats) -> Floats:
        return other.dequantise(other.quantise(values.reshape(-1))).reshape(values.shape)

    fitting = tuple(n for n in twin.matrices() if twin.info(n).shape[-1] % other.block_elements == 0)
    return damage.replaced_values(twin, fitting, requantised, "F16")


@packaging_fidelity.counter_example("underived_twin", of="twin")
def underived_twin(twin: Checkpoint) -> Checkpoint:
    """Take the derivation off the record: the values are right, but nobody says whose they are."""
    return damage.without_metadata(twin)


@packaging_fidelity.dose("flipped_bits", of="quantised")
def flipped_bits(quantised: Checkpoint, amount: int, place: int) -> Checkpoint:
    """Turn bits of the quantised file, anywhere."""
    return doses.flipped_bits(quantised, amount, place)


@packaging_fidelity.dose("scaled_matrix", of="twin")
def scaled_matrix(twin: Checkpoint, amount: float, place: int) -> Checkpoint:
    """Scale one matrix of the twin."""
    return doses.scaled_matrix(twin, amount, place)
