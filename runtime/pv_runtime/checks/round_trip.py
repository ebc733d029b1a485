"""A model carried through every format and back: dimensions are spelt in another order, data never move.

GGUF lists a matrix's dimensions innermost first, safetensors and APR outermost first; the bytes are the
same. A converter that "corrects" the order by transposing data breaks every matrix, and a square one
without its shape telling.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from pv.check import CheckError, Metric, Run, check
from pv_runtime.checks import damage, doses
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.names import gguf_name
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["format_round_trip"]


@check(
    metrics=[
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("compared", unit="1", kind="count"),
        Metric("one_sided", unit="1", kind="count"),
        Metric("shape_mismatches", unit="1", kind="count"),
        Metric("reversed_in_gguf", unit="1", kind="count"),
        Metric("differing_bytes", unit="1", kind="count"),
        Metric("differing_elements", unit="1", kind="count"),
        Metric("widened_matrices", unit="1", kind="count"),
        Metric("matrices", unit="1", kind="count"),
        Metric("square", unit="1", kind="count"),
    ]
)
def format_round_trip(run: Run, *, model: Checkpoint) -> None:
    """Export `model` to APR, that to GGUF, that to APR, and compare the last with the first.

    For each tensor on both sides: `shape_mismatches`; `reversed_in_gguf`, 1 for each matrix whose
    dimensions the ``gguf`` package reads in the other order; `differing_bytes`, where both have one type;
    `differing_elements`, whose bits differ as float32. Vectors are F32 after GGUF, which has no others,
    and compared by value; `widened_matrices` counts matrices whose type changed. `matrices` and `square`
    say how many could tell a transpose, and how many only by their bytes.

    Raises
    ------
    LoadError
        The model has no exact counterpart in one of the formats.
    """
    original: Checkpoint = run.undamaged("model")
    folder = Path(run.scratch())
    export(model, str(folder / "first.apr"), "apr", with_tokenizer=False)
    middle = folder / "middle.gguf"
    export(open_checkpoint(folder / "first.apr"), str(middle), "gguf", with_tokenizer=False)
    export(open_checkpoint(middle), str(folder / "last.apr"), "apr", with_tokenizer=False)
    returned: Checkpoint = run.role("returned", open_checkpoint(folder / "last.apr"))
    listed = _listed_dimensions(str(middle))
    run.record("expected_tensors", len(original.names()))
    run.record("matrices", len(original.matrices()))
    run.record("square", sum(_square(original, name) for name in original.matrices()))
    theirs = set(returned.names())
    one_sided = sorted(set(model.names()) ^ theirs)
    run.record("one_sided", len(one_sided), label=", ".join(one_sided[:8]) or None)
    common = [name for name in model.names() if name in theirs]
    for name in run.progress(common, len(common)):
        before, after = model.info(name), returned.info(name)
        run.record("shape_mismatches", int(before.shape != after.shape), label=name)
        if len(before.shape) == 2:
            reversed_there = listed.get(gguf_name(name)) == tuple(reversed(before.shape))
            run.record("reversed_in_gguf", int(reversed_there), label=name)
            run.record("widened_matrices", int(before.dtype != after.dtype), label=name)
        if before.shape != after.shape:
            continue
        if before.dtype == after.dtype:
            differing = np.count_nonzero(model.raw(name) != returned.raw(name))
            run.record("differing_bytes", int(differing), label=name)
        bits = [side.tensor(name).view(np.uint32) for side in (model, returned)]
        run.record("differing_elements", int(np.count_nonzero(bits[0] != bits[1])), label=name)
    run.record("compared", len(common))


def _listed_dimensions(path: str) -> dict[str, tuple[int, ...]]:
    """Read a GGUF file's dimensions as they are listed, by a reader that is not ours."""
    import gguf

    return {
        tensor.name: tuple(int(size) for size in tensor.shape) for tensor in gguf.GGUFReader(path).tensors
    }


def _square(model: Checkpoint, name: str) -> bool:
    shape = model.info(name).shape
    return shape[0] == shape[1]


def _matrix(model: Checkpoint, *, square: bool) -> str:
    for name in model.matrices():
        if _square(model, name) == square and _asymmetric(model, name):
            return name
    raise CheckError(f"{model.path} has no {'square' if square else 'oblong'} matrix to transpose")


def _asymmetric(model: Checkpoint, name: str) -> bool:
    values = model.tensor(name)
    return values.shape[0] != values.shape[1] or not np.array_equal(values, values.T)


def _transposed(model: Checkpoint, name: str, shape: tuple[int, ...]) -> Overlay:
    def values() -> Floats:
        return np.ascontiguousarray(model.tensor(name).T).reshape(shape)

    kind = "F32" if model.info(name).dtype == "F32" else "F16"
    return Overlay(model, replace={name: from_values(name, shape, values, kind)})


@format_round_trip.counter_example("square_transposed", of="returned")
def square_transposed(returned: Checkpoint) -> Checkpoint:
    """Transpose the data of a square matrix: no shape can tell."""
    name = _matrix(returned, square=True)
    return _transposed(returned, name, returned.info(name).shape)


@format_round_trip.counter_example("oblong_transposed", of="returned")
def oblong_transposed(returned: Checkpoint) -> Checkpoint:
    """Transpose the data of an oblong matrix, and list the shape that this gives."""
    name = _matrix(returned, square=False)
    return _transposed(returned, name, tuple(reversed(returned.info(name).shape)))


@format_round_trip.counter_example("oblong_transposed_in_disguise", of="returned")
def oblong_transposed_in_disguise(returned: Checkpoint) -> Checkpoint:
    """Transpose the data of an oblong matrix, and list the shape that it had."""
    name = _matrix(returned, square=False)
    return _transposed(returned, name, returned.info(name).shape)


@format_round_trip.counter_example("dimensions_reversed", of="returned")
def dimensions_reversed(returned: Checkpoint) -> Checkpoint:
    """Leave the data alone, and list the dimensions in GGUF's order."""
    name = _matrix(returned, square=False)
    info = returned.info(name)
    turned = TensorInfo(name, info.dtype, tuple(reversed(info.shape)), info.nbytes)
    return Overlay(returned, replace={name: LazyTensor(turned, functools.partial(returned.raw, name))})


@format_round_trip.counter_example("flipped_bit", of="returned")
def flipped_bit(returned: Checkpoint) -> Checkpoint:
    """Turn one bit of one matrix."""
    name = returned.matrices()[0]
    return Overlay(returned, replace={name: LazyTensor(returned.info(name), lambda: _turned(returned, name))})


def _turned(model: Checkpoint, name: str) -> Bytes:
    raw = model.raw(name).copy()
    raw[raw.size // 2] ^= 0x01
    return raw


@format_round_trip.counter_example("swapped_tensors", of="returned")
def swapped_tensors(returned: Checkpoint) -> Checkpoint:
    """Exchange two matrices of one shape."""
    return damage.with_exchanged(returned)


@format_round_trip.counter_example("missing_tensor", of="returned")
def missing_tensor(returned: Checkpoint) -> Checkpoint:
    """Lose the last tensor on the way."""
    return damage.without_last(returned)


@format_round_trip.counter_example("extra_tensor", of="returned")
def extra_tensor(returned: Checkpoint) -> Checkpoint:
    """Gain a tensor on the way."""
    return damage.with_extra(returned)


@format_round_trip.dose("flipped_bits", of="returned")
def flipped_bits(returned: Checkpoint, amount: int, place: int) -> Checkpoint:
    """Turn bits of what came back, anywhere."""
    return doses.flipped_bits(returned, amount, place)
