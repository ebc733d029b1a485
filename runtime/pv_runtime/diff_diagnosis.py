"""What a difference between two tensors is likely to be, in words that name the place."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pv_runtime import diff_grid, diff_rows
from pv_runtime.compare_tensors import COMPARED, Pair, compare_pair
from pv_runtime.diff import Comparison, Structure
from pv_runtime.formats import LazyTensor, TensorInfo
from pv_runtime.formats.checkpoint import DECODED, decode
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes

__all__ = ["diagnosed", "diagnosis"]

_FEW = 8
"""Differing elements up to which the first is named; damage is small, another file is not."""
_PARALLEL = 1e-4
"""1 - cosine up to which one side is taken for a multiple of the other."""
_FAR = 0.5
"""Relative L2 from which a tensor is taken for another one, not for a coarser copy."""
_LIKE = 0.9
_SAMPLED = 4096


def diagnosed(compared: Sequence[Comparison], found: Structure | None = None) -> list[Comparison]:
    """Return `compared`, each difference with what can be said of it; `found` is what was compared."""
    return diagnosis(compared, found)[0]


def diagnosis(
    compared: Sequence[Comparison], found: Structure | None = None
) -> tuple[list[Comparison], list[str]]:
    """Return `compared` with what can be said of each tensor, and what can be said of all together."""
    reordered, heads = (found.reordered, found.heads) if found else (None, None)
    said = {each.name: [*each.diagnosis, *_alone(each)] for each in compared}
    layouts: dict[str, str] = {}
    rows: list[str] = []
    for each in compared:
        if each.status == "beyond_threshold" and each.layout == "same":
            other = diff_rows.other_order(each.name, each.a, each.b, heads)
            if other is not None:
                side, equal, distance = other
                rows.append(diff_rows.words(side, reordered))
                layouts[each.name] = "interleaved"
                then = "all values are equal then" if equal else f"relative L2 {distance:.4g} then"
                said[each.name].append(f"{rows[-1]}; {then}")
    for name, words in _exchanged([each for each in compared if each.name not in layouts]):
        said[name].append(words)
    done = [
        dataclasses.replace(
            each, diagnosis=tuple(said[each.name]), layout=layouts.get(each.name, each.layout)
        )
        for each in compared
    ]
    return done, [*diff_rows.summary(rows), *_grid(compared)]


def _grid(compared: Sequence[Comparison]) -> Iterable[str]:
    """Say that the quantised side is what the other was made from, where that is so of every tensor."""
    blocks = [
        each
        for each in compared
        if each.figures is not None
        and (each.a.info.dtype in diff_grid.BLOCKS) != (each.b.info.dtype in diff_grid.BLOCKS)
    ]
    grids = [
        grid
        for each in blocks
        if each.figures is not None and (grid := diff_grid.on_the_grid(each.a, each.b, each.figures))
    ]
    if len({side for side, _ in grids}) == 1:
        yield from diff_grid.summary(grids, len(blocks))


def _alone(each: Comparison) -> Iterable[str]:
    """Say what a pair's own figures show."""
    figures = each.figures
    if figures is None or each.status == "transposed":
        return
    for side, count in (("a", figures.not_finite_a), ("b", figures.not_finite_b)):
        if count:
            yield f"{count} of {figures.elements} elements of {side} are NaN or infinite"
    if each.status == "equal_after_rounding":
        narrow = "F16" if "F16" in {each.a.info.dtype, each.b.info.dtype} else "BF16"
        yield f"equal in every element after rounding to {narrow}"
    if grid := diff_grid.on_the_grid(each.a, each.b, figures):
        side, other = grid[0], "b" if grid[0] == "a" else "a"
        yield f"{side}'s values lie on {other}'s {grid[1]} grid"
    elif each.a.info.dtype != each.b.info.dtype:
        for side, tensor, beside in (("a", each.a, each.b), ("b", each.b, each.a)):
            if beside.info.dtype in diff_grid.BLOCKS and diff_grid.four_bit(tensor):
                yield (
                    f"{side}'s values take at most 16 different ones in each 32, as if from a 4-bit format: "
                    "they are no weights from before quantisation"
                )
    if each.accepted or not figures.finite:
        return
    if not figures.sum_bb or not figures.sum_aa:
        yield f"{'a' if not figures.sum_aa else 'b'} is zero in every element"
    elif figures.elements > 1 and figures.one_minus_cosine < _PARALLEL and abs(figures.norm_ratio - 1) > 1e-2:
        yield f"b is a times {figures.norm_ratio:.6g}"
    elif figures.elements > 1 and figures.cosine < -1 + _PARALLEL:
        yield f"b is a times {-figures.norm_ratio:.6g}: the sign is turned"
    if each.layout == "same":
        yield from _damage(each)


def _damage(each: Comparison) -> Iterable[str]:
    """Name the place where few elements, or one block, differ."""
    figures = each.figures
    assert figures is not None  # noqa: S101 - the caller looked
    same = each.a.info.dtype == each.b.info.dtype
    if same and each.a.info.dtype in SCHEMES:
        if figures.differing_blocks == 1:
            yield _block(each)
        return
    apart = figures.elements - figures.equal_rounded
    if 0 < apart <= _FEW:
        place = _place(each.a.info, figures.first_difference)
        in_block = next(
            (
                f", in block {figures.first_difference // SCHEMES[side.info.dtype].block_elements} of {which}"
                for which, side in (("a", each.a), ("b", each.b))
                if side.info.dtype in SCHEMES
            ),
            "",
        )
        yield f"{apart} of {figures.elements} elements differ, first {place}{in_block}"


def _place(info: TensorInfo, index: int) -> str:
    """Spell a flat index as a place in the shape."""
    return "[" + ", ".join(str(int(at)) for at in np.unravel_index(index, info.shape)) + "]"


def _block(each: Comparison) -> str:
    """Say where in its bytes and values the only differing block differs."""
    scheme = SCHEMES[each.a.info.dtype]
    left, right = each.a.raw(), each.b.raw()
    at = _first_difference(left, right)
    number = at // scheme.block_bytes
    part = slice(number * scheme.block_bytes, (number + 1) * scheme.block_bytes)
    x, y = left[part], right[part]
    changed = np.flatnonzero(x != y)
    byte = int(changed[0])
    role = (
        "codes"
        if byte in scheme.codes
        else "the block's scale"
        if byte in scheme.scale
        else "sub-block scales"
    )
    flipped = int(x[byte] ^ y[byte])
    size = (
        "one bit"
        if flipped.bit_count() == 1
        else "one nibble"
        if not flipped & 15 or not flipped >> 4
        else "one byte"
    )
    what = size if len(changed) == 1 else f"{len(changed)} bytes"
    with np.errstate(invalid="ignore"):
        apart = np.flatnonzero(scheme.dequantise(x) != scheme.dequantise(y))
    places = [_place(each.a.info, number * scheme.block_elements + int(i)) for i in apart[:1]]
    elements = f"{len(apart)} element(s), first {places[0]}" if places else "no element's value"
    return (
        f"{what} differs in block {number}: byte {byte} of {scheme.block_bytes} ({role}) is "
        f"0x{int(x[byte]):02x} beside 0x{int(y[byte]):02x}; that changes {elements}"
    )


def _first_difference(left: Bytes, right: Bytes) -> int:
    step = 1 << 20
    for start in range(0, len(left), step):
        differing = left[start : start + step] != right[start : start + step]
        if differing.any():
            return start + int(np.argmax(differing))
    return -1


def _exchanged(compared: Sequence[Comparison]) -> Iterable[tuple[str, str]]:
    """Find, among the pairs that are far apart, those whose values stand under another name."""
    groups: dict[tuple[int, ...], list[Comparison]] = defaultdict(list)
    for each in compared:
        figures = each.figures
        apart = figures is not None and each.status == "beyond_threshold" and figures.relative_l2 > _FAR
        sampled = {each.a.info.dtype, each.b.info.dtype} <= DECODED
        if apart and sampled and figures is not None and figures.elements > 1:
            groups[each.a.info.shape].append(each)
    for group in groups.values():
        if len(group) > 1:
            yield from _within(group)


def _within(group: Sequence[Comparison]) -> Iterable[tuple[str, str]]:
    likeness = _samples([each.a for each in group]) @ _samples([each.b for each in group]).T
    np.fill_diagonal(likeness, 0)
    best = likeness.argmax(axis=1)  # b[best[i]] holds a[i]'s values
    holds = {
        i: int(j)
        for i, j in enumerate(best)
        if likeness[i, j] > _LIKE and _agree(group[i].a, group[int(j)].b)
    }
    for i, j in holds.items():
        here, there = group[i].name, group[j].name
        if holds.get(j) == i:
            yield here, f"swapped with {there}: each holds the other's values in b"
        else:
            yield here, f"b holds these values under {there}"


def _agree(a: LazyTensor, b: LazyTensor) -> bool:
    """Confirm on all values what a sample suggests."""
    if a.info.dtype not in COMPARED or b.info.dtype not in COMPARED:
        return False
    return compare_pair(Pair(a.info, b.info, a.raw, b.raw)).cosine > _LIKE


def _samples(tensors: Sequence[LazyTensor]) -> NDArray[np.float64]:
    """Return unit vectors ``[len(tensors), k]`` of the first values and of some from the middle."""
    return np.stack([_sample(each) for each in tensors])


def _sample(tensor: LazyTensor) -> NDArray[np.float64]:
    info, raw = tensor.info, tensor.raw()
    count = min(_SAMPLED, info.elements // 256 * 256 or info.elements)
    middle = info.elements // 2 // 256 * 256
    count = min(count, info.elements - middle)
    parts = []
    for first in (0, middle):
        start, stop = (place * info.nbytes // info.elements for place in (first, first + count))
        part = raw[start:stop]
        parts.append(decode(TensorInfo(info.name, info.dtype, (count,), part.nbytes), part, ""))
    joined: NDArray[np.float64] = np.concatenate(parts).astype(np.float64)
    norm = float(np.linalg.norm(joined))
    return joined / norm if norm > 0 and np.isfinite(norm) else np.zeros_like(joined)
