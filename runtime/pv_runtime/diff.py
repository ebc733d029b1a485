"""Two checkpoints side by side: which tensors pair up, and how far each pair is apart."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pv_runtime.compare_tensors import COMPARED, Differences, Pair, compare_all
from pv_runtime.diff_decoded import decodable, decoded_differences
from pv_runtime.diff_rows import Heads, in_one_order, reordered_side, stated_heads
from pv_runtime.diff_tied import with_tied_head
from pv_runtime.diff_transposed import looks_transposed, transposed_differences
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, LazyTensor, TensorInfo
from pv_runtime.formats.pages import give_back
from pv_runtime.names import hf_name

__all__ = ["ACCEPTED", "Comparison", "Structure", "compare", "structure"]

ACCEPTED = {"identical", "equal_after_rounding", "within_threshold", "same_structure"}
"""Statuses of pairs that are no difference; every other one is."""

_FUSED = ".self_attn.qkv_proj."
_PARTS = tuple(f".self_attn.{part}_proj." for part in "qkv")
_BYTES = 1 << 24


@dataclasses.dataclass(frozen=True)
class Structure:
    """Which tensors of two files pair up; names are Hugging Face's.

    Parameters
    ----------
    pairs
        Name, and the tensor of either side, in the order of a.
    only_a, only_b
        Tensors without a counterpart.
    notes
        What was done to pair them, in words.
    reordered
        The side, ``a`` or ``b``, whose query and key rows were brought into Hugging Face's order.
    heads
        How many query and key heads a file states.
    """

    pairs: tuple[tuple[str, LazyTensor, LazyTensor], ...]
    only_a: tuple[TensorInfo, ...]
    only_b: tuple[TensorInfo, ...]
    notes: tuple[str, ...]
    reordered: str | None = None
    heads: Heads | None = None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One pair, compared.

    Parameters
    ----------
    status
        One of `ACCEPTED`, or ``"beyond_threshold"``, ``"not_finite"``, ``"transposed"``,
        ``"shape_mismatch"``, ``"bytes_differ"``, ``"not_comparable"``.
    layout
        ``"same"``; ``"convention"``: dims listed in the other order, bytes in the same;
        ``"transposed"``: the data is; ``"interleaved"``: rows of query or key lie in different orders; None
        where that was not looked at.
    figures
        Numbers, where values were compared.
    diagnosis
        What the figures mean, in words.
    """

    name: str
    a: LazyTensor
    b: LazyTensor
    status: str
    layout: str | None = None
    figures: Differences | None = None
    diagnosis: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether this pair is no difference."""
        return self.status in ACCEPTED

    @property
    def badness(self) -> tuple[int, float]:
        """Sorts the worst pair last."""
        if self.figures is None:
            return (0 if self.accepted else 3), 0.0
        distance = self.figures.relative_l2
        rank = 2 if not self.figures.finite or self.status == "transposed" else 1
        return (0 if self.accepted else rank), math.inf if math.isnan(distance) else distance


def structure(a: Checkpoint, b: Checkpoint, wanted: str = "") -> Structure:
    """Pair the tensors of two checkpoints whose names contain `wanted`.

    Names are normalised to Hugging Face's; a fused ``qkv_proj`` is split by rows where the other side
    has its three parts, which copies nothing. A tied head stands beside one that is written out. Rows of
    query and key that one side's format interleaves and the other's does not are brought into Hugging
    Face's order.

    Raises
    ------
    LoadError
        Two tensors of one side have the same name then.
    """
    left, right = _tensors(a), _tensors(b)
    notes = [*_split(left, right, "a"), *_split(right, left, "b")]
    for which, model, side, beside, others in (("a", a, left, b, right), ("b", b, right, a, left)):
        if with_tied_head(model, side, beside, others):
            notes.append(f"lm_head.weight of {which} is its embedding, to which it is tied")
    if {a.format, b.format} > {"gguf"}:
        notes.append(
            "GGUF lists dimensions innermost first; shapes are shown outermost first here, and the data "
            "lies in the same order in both formats"
        )
    heads, reordered = stated_heads(a, b), reordered_side(a, b)
    if heads and reordered and (count := in_one_order(left if reordered == "a" else right, heads)):
        notes.append(
            f"GGUF interleaves the rows of query and key of a llama; the {count} tensors of {reordered} were "
            "brought into Hugging Face's order"
        )
    else:
        reordered = None
    left, right = ({n: t for n, t in side.items() if wanted in n} for side in (left, right))
    return Structure(
        tuple((name, left[name], right[name]) for name in left if name in right),
        tuple(left[name].info for name in sorted(left.keys() - right.keys())),
        tuple(right[name].info for name in sorted(right.keys() - left.keys())),
        tuple(notes),
        reordered,
        heads,
    )


def _tensors(model: Checkpoint) -> dict[str, LazyTensor]:
    found: dict[str, LazyTensor] = {}
    for name in model.names():
        normal = hf_name(name)
        if normal in found:
            raise LoadError(f"two tensors are named {normal} once names are normalised", model.path)
        found[normal] = LazyTensor(
            dataclasses.replace(model.info(name), name=normal),
            lambda name=name: model.raw(name),  # type: ignore[misc]
        )
    return found


def _split(side: dict[str, LazyTensor], other: Mapping[str, LazyTensor], which: str) -> Iterator[str]:
    """Replace each fused tensor of `side` by views of its parts, where `other` has these."""
    for name in [name for name in side if _FUSED in name]:
        parts = [name.replace(_FUSED, part) for part in _PARTS]
        if any(part in side or part not in other for part in parts):
            continue
        fused = side[name]
        rows = [other[part].info.shape[0] if other[part].info.shape else 0 for part in parts]
        if not sum(rows) or fused.info.shape[:1] != (sum(rows),) or fused.info.nbytes % sum(rows):
            continue
        del side[name]
        row_bytes, start = fused.info.nbytes // fused.info.shape[0], 0
        for part, count in zip(parts, rows, strict=True):
            info = TensorInfo(part, fused.info.dtype, (count, *fused.info.shape[1:]), count * row_bytes)
            first, last = start * row_bytes, (start + count) * row_bytes
            side[part] = LazyTensor(
                info,
                lambda raw=fused.raw, first=first, last=last: raw()[first:last],  # type: ignore[misc]
            )
            start += count
        yield f"{name} of {which} holds query, key and value in this order and was split by rows"


def compare(
    found: Structure,
    *,
    values: bool,
    transpose_aware: bool,
    threshold: float,
    threads: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Comparison]:
    """Compare all pairs of `found`, in their order; `progress` is told each name when it is done.

    Parameters
    ----------
    values
        Read the tensors; without it shapes are compared alone.
    transpose_aware
        Accept, within the threshold, data that is transposed where the shape says so.
    threshold
        Largest relative L2 difference accepted.
    threads
        As many as this process has cores by default.

    Raises
    ------
    LoadError
        A tensor cannot be read.
    """
    if not values:
        return [_by_shape(*pair) for pair in found.pairs]
    plan = {name: _plan(name, a, b) for name, a, b in found.pairs}
    flat = [(name, a, b) for name, a, b in found.pairs if plan[name] == "flat"]
    pairs = [Pair(a.info, b.info, a.raw, b.raw) for _, a, b in flat]
    figures: dict[str, Differences] = {}
    names = iter(name for name, _, _ in flat)
    for _, differences in compare_all(pairs, threads=threads or len(os.sched_getaffinity(0))):
        name = next(names)
        figures[name] = differences
        progress(name)
    done = []
    for name, a, b in found.pairs:
        if name in figures:
            done.append(_judged(name, a, b, figures[name], threshold, transpose_aware=transpose_aware))
        elif plan[name] == "decoded":
            done.append(_decoded(name, a, b, threshold))
            progress(name)
        else:
            done.append(_by_bytes(name, a, b) if plan[name] == "bytes" else _by_shape(name, a, b))
            progress(name)
    return done


def _plan(name: str, a: LazyTensor, b: LazyTensor) -> str:
    """Say how a pair is compared: ``flat``, ``decoded``, ``bytes`` or ``none``.

    ``flat`` is value by value in the order of the bytes, ``decoded`` the slow path of `diff_decoded`.
    """
    del name
    if a.info.shape != b.info.shape and a.info.shape != tuple(reversed(b.info.shape)):
        return "none"
    if a.info.dtype in COMPARED and b.info.dtype in COMPARED:
        return "flat"
    return "decoded" if decodable(a.info, b.info) else "bytes"


def _by_shape(name: str, a: LazyTensor, b: LazyTensor) -> Comparison:
    if a.info.shape == b.info.shape:
        return Comparison(name, a, b, "same_structure")
    words = f"shape {_shape(a.info)} beside {_shape(b.info)}"
    if a.info.shape == tuple(reversed(b.info.shape)):
        words += ": dims listed in the other order or data transposed, which --values tells apart"
    return Comparison(name, a, b, "shape_mismatch", diagnosis=(words,))


def _decoded(name: str, a: LazyTensor, b: LazyTensor, threshold: float) -> Comparison:
    """Compare a pair of which a side is in a format of the slow path; the same bytes need no decoding."""
    if a.info.dtype == b.info.dtype:
        alike = _by_bytes(name, a, b)
        if alike.status == "identical":
            return dataclasses.replace(alike, layout="same", diagnosis=())
    figures = decoded_differences(a, b)
    status = status_of(figures, threshold)
    if status == "identical" and a.info.dtype == b.info.dtype:
        words = f"the bytes of {a.info.dtype} differ, and no value does"
        return Comparison(name, a, b, status, "same", figures, (words,))
    return Comparison(name, a, b, status, "same", figures)


def _by_bytes(name: str, a: LazyTensor, b: LazyTensor) -> Comparison:
    """Compare a pair whose values no one here can decode."""
    if a.info.dtype != b.info.dtype or a.info.nbytes != b.info.nbytes:
        words = f"{a.info.dtype} beside {b.info.dtype}: not decoded here, so values were not compared"
        return Comparison(name, a, b, "not_comparable", diagnosis=(words,))
    left, right = a.raw(), b.raw()
    different = 0
    for start in range(0, a.info.nbytes, _BYTES):
        x, y = left[start : start + _BYTES], right[start : start + _BYTES]
        different += int((x != y).sum())
        give_back(x)
        give_back(y)
    words = f"{a.info.dtype} is compared as bytes, without being decoded"
    if not different:
        status = "identical" if a.info.shape == b.info.shape else "shape_mismatch"
        return Comparison(name, a, b, status, diagnosis=(words,))
    return Comparison(
        name, a, b, "bytes_differ", diagnosis=(words, f"{different} of {a.info.nbytes} bytes differ")
    )


def _judged(
    name: str, a: LazyTensor, b: LazyTensor, figures: Differences, threshold: float, *, transpose_aware: bool
) -> Comparison:
    """Give a pair its status; look whether its data is transposed where it is apart."""
    status = status_of(figures, threshold)
    reversed_dims = a.info.shape != b.info.shape
    layout = "convention" if reversed_dims else "same"
    apart = status == "beyond_threshold" and len(a.info.shape) == 2 and min(a.info.shape) > 1
    if apart and a.info.shape == tuple(reversed(b.info.shape)) and looks_transposed(a, b):
        crossed = transposed_differences(a, b)
        # Where the shapes say so, it is one matrix in two orders; a square one gives no such sign.
        accepted = transpose_aware and reversed_dims and status_of(crossed, threshold) in ACCEPTED
        words = "data physically transposed" + (
            ", as the shapes say"
            if reversed_dims
            else ": the shape is the same on both sides, so only the bytes tell"
        )
        status = status_of(crossed, threshold) if accepted else "transposed"
        return Comparison(name, a, b, status, "transposed", crossed, (words,))
    if reversed_dims and status in ACCEPTED:
        words = "same values, dims listed in the other order: the two formats' convention, not a defect"
        return Comparison(name, a, b, status, layout, figures, (words,))
    if reversed_dims:
        words = f"shape {_shape(a.info)} beside {_shape(b.info)}, and neither order of the data agrees"
        return Comparison(name, a, b, "shape_mismatch", None, figures, (words,))
    return Comparison(name, a, b, status, layout, figures)


def status_of(figures: Differences, threshold: float) -> str:
    """Return the status that figures have by themselves."""
    if not figures.finite:
        return "not_finite"
    if figures.equal == figures.elements:
        return "identical"
    if figures.equal_rounded == figures.elements:
        return "equal_after_rounding"
    return "within_threshold" if figures.relative_l2 <= threshold else "beyond_threshold"


def _shape(info: TensorInfo) -> str:
    return "[" + ", ".join(map(str, info.shape)) + "]"


def worst_first(compared: Iterable[Comparison]) -> Sequence[Comparison]:
    """Sort differences before what is accepted, and the larger before the smaller."""
    return sorted(compared, key=lambda each: (-each.badness[0], -each.badness[1], each.name))
