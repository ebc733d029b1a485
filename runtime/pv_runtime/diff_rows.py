"""Rows of query and key projections in two orders: brought into one before a comparison, or named in it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pv_runtime.compare import cosine
from pv_runtime.compare_tensors import COMPARED, Pair, compare_pair
from pv_runtime.formats import Checkpoint, LazyTensor, TensorInfo
from pv_runtime.formats.checkpoint import decode
from pv_runtime.formats.pages import give_back
from pv_runtime.quant.scheme import Bytes, Floats
from pv_runtime.rope_order import INTERLEAVED, SEPARATE, heads_of, rope_order
from pv_runtime.rope_rows import ROTATED, interleave, separate

__all__ = ["Heads", "in_one_order", "other_order", "reordered_side", "stated_heads", "summary", "words"]

_SAMPLED = 64
_LIKE = 0.9
"""A cosine from which two samples hold the same values, quantised or not; unrelated ones have about 0."""
_HEAD_SIZES = (128, 64, 96, 80, 256, 112, 192, 32, 16)
"""Of heads in published models, for files that do not say how many there are."""

Heads = tuple[int, int]
_Move = Callable[[Bytes, int, int], Bytes]


def reordered_side(a: Checkpoint, b: Checkpoint) -> str | None:
    """Say which side has its rows interleaved by its format where the other has not: ``a``, ``b`` or None."""
    orders = rope_order(a), rope_order(b)
    return {(INTERLEAVED, SEPARATE): "a", (SEPARATE, INTERLEAVED): "b"}.get(orders)  # type: ignore[arg-type]


def in_one_order(side: dict[str, LazyTensor], heads: Heads) -> int:
    """Replace the query and key tensors of `side` by the same in Hugging Face's order; return how many."""
    count = 0
    for name, tensor in list(side.items()):
        number = _heads(name, tensor.info, heads)
        if number:
            side[name] = LazyTensor(tensor.info, functools.partial(_moved, tensor, number))
            count += 1
    return count


def _heads(name: str, info: TensorInfo, heads: Heads) -> int:
    """Return how many heads the rows of a query or key tensor divide into; 0 for others."""
    match = ROTATED.fullmatch(name)
    number = heads[0 if match and match[1] == "q" else 1]
    fits = match and info.shape and info.shape[0] and info.shape[0] % (2 * number) == 0
    return number if fits and info.nbytes % info.shape[0] == 0 else 0


def _moved(tensor: LazyTensor, heads: int) -> Bytes:
    raw = tensor.raw()
    moved = separate(raw, tensor.info.shape[0], heads)
    give_back(raw)
    return moved


def other_order(
    name: str, a: LazyTensor, b: LazyTensor, heads: Heads | None
) -> tuple[str, bool, float] | None:
    """Tell whether one side's rows are the other's in the other order.

    Parameters
    ----------
    name
        Hugging Face's.
    a, b
        Tensors of one shape that differ.
    heads
        As the files state them; without, the usual sizes of a head are tried.

    Returns
    -------
    tuple[str, bool, float] | None
        Which side is interleaved where the other is not, ``"a"`` or ``"b"``; whether all values are equal
        then, but for rounding; and the relative L2 then. None where neither explains the difference.
    """
    match, shape = ROTATED.fullmatch(name), a.info.shape
    if (
        match is None
        or not shape
        or shape != b.info.shape
        or not {a.info.dtype, b.info.dtype} <= set(COMPARED)
    ):
        return None
    for number in _candidates(name, a.info, heads):
        for side, move in (("b", interleave), ("a", separate)):
            if _explains(a, b, move, number):
                inverse = separate if side == "b" else interleave
                pair = Pair(a.info, b.info, a.raw, functools.partial(_apply, b, inverse, number))
                figures = compare_pair(pair)
                if figures.finite and figures.cosine > _LIKE:
                    equal = figures.elements in {figures.equal, figures.equal_rounded}
                    return side, equal, figures.relative_l2
    return None


def _candidates(name: str, info: TensorInfo, heads: Heads | None) -> Iterable[int]:
    if heads is not None:
        return [number] if (number := _heads(name, info, heads)) else []
    return [info.shape[0] // size for size in _HEAD_SIZES if info.shape[0] % size == 0]


def _apply(tensor: LazyTensor, move: _Move, heads: int) -> Bytes:
    return move(tensor.raw(), tensor.info.shape[0], heads)


def _explains(a: LazyTensor, b: LazyTensor, move: _Move, heads: int) -> bool:
    """Whether a sample of rows of `b` is that of `a` moved, and better than that of `a` as it lies."""
    rows = a.info.shape[0]
    numbers = np.arange(rows, dtype="<i8")
    sources = move(numbers.view(np.uint8), rows, heads).view("<i8")
    picked = np.unique(np.linspace(0, rows - 1, min(rows, _SAMPLED)).astype(np.int64))
    theirs = _rows(b, picked)
    crossed = cosine(_rows(a, sources[picked]), theirs)
    return crossed > _LIKE and crossed > cosine(_rows(a, picked), theirs)


def _rows(tensor: LazyTensor, rows: NDArray[np.int64]) -> Floats:
    """Decode some rows, float32 ``[len(rows) * n]``; those of a bias have one value."""
    raw = tensor.raw().reshape(tensor.info.shape[0], -1)
    picked = np.ascontiguousarray(raw[rows]).reshape(-1)
    count = tensor.info.elements // tensor.info.shape[0] * len(rows)
    return decode(TensorInfo(tensor.info.name, tensor.info.dtype, (count,), picked.nbytes), picked, "")


def stated_heads(a: Checkpoint, b: Checkpoint) -> Heads | None:
    """Return the heads that either file states."""
    return heads_of(a) or heads_of(b)


def words(side: str, reordered: str | None) -> str:
    """Say what it means that rows are interleaved in `side` as it was compared.

    `reordered` is the side that was brought into Hugging Face's order for the comparison, if one was.
    """
    if reordered is not None and side != reordered:
        return (
            f"rows of query and key lie in Hugging Face's order in {reordered}, whose format interleaves "
            "them: who reads it turns other pairs of values"
        )
    return (
        f"rows of query and key lie in GGUF's interleaved order in {side}, and in Hugging Face's in the other"
    )


def summary(found: Sequence[str]) -> Iterable[str]:
    """Sum up what `words` said of the tensors of a comparison."""
    for text, count in Counter(found).items():
        yield f"{text} ({count} tensors)"
