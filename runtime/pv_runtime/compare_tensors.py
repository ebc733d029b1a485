"""Every figure of how two tensors are apart, from one pass over their bytes.

The tensors are cut into windows that do not depend on the number of threads, and the windows' sums
are added exactly, so that one thread and many give the same digits. Within a window sums are taken in
float64 in vector lanes: with at most 2^20 terms in chunks of 2048, the relative error of Σa², Σb² and
Σ(a-b)² stays below 3·10⁻¹³ whatever the size of the tensor.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from pv_runtime.compiled import available
from pv_runtime.errors import LoadError
from pv_runtime.formats import TensorInfo
from pv_runtime.formats.pages import ask, bring, give_back
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["COMPARED", "Differences", "Pair", "compare_all", "compare_pair", "compare_tiles"]

COMPARED = ("F32", "F16", "BF16", *SCHEMES)
"""Dtypes whose values are compared; tensors of others are compared as bytes where they are the same dtype."""

WINDOW = 1 << 20
"""Elements of a window; a multiple of every block."""

_AHEAD = 4
"""Windows a thread that are asked for before they are compared: the disk reads meanwhile."""

_ROUNDINGS = {"F16": 1, "BF16": 2}

Window = Callable[[Bytes, str, Bytes, str, int, int, int, int, NDArray[np.float64], NDArray[np.int64]], None]


@dataclasses.dataclass(frozen=True)
class Differences:
    """How far tensor b is from tensor a, both of `elements` values.

    Parameters
    ----------
    not_finite_a, not_finite_b
        Elements that are NaN or infinite. Where there is one, the figures of the whole are NaN.
    equal
        Elements that are finite and have the same float32 bits on both sides.
    equal_rounded
        The same after rounding both sides to F16, or else BF16, where one side is that; otherwise as `equal`.
    blocks, differing_blocks
        Blocks of the block format (of the larger one, where both sides have one), and how many differ:
        in a byte where both sides have the same format, otherwise in an element after rounding.
    sum_aa, sum_bb, sum_ab, sum_dd, sum_d
        Σa², Σb², Σab, Σ(a-b)² and Σ|a-b|, float64.
    max_difference, max_index
        Largest ``|a-b|`` and the flat index of its element; NaN where one is none.
    first_difference
        Flat index of the first element that is not equal after rounding; -1 where all are.
    max_ulps
        Largest distance in units in the last place, where both sides have one dtype without blocks.
    """

    elements: int
    not_finite_a: int
    not_finite_b: int
    equal: int
    equal_rounded: int
    blocks: int
    differing_blocks: int
    sum_aa: float
    sum_bb: float
    sum_ab: float
    sum_dd: float
    sum_d: float
    max_difference: float
    max_index: int
    first_difference: int
    max_ulps: int | None

    @property
    def finite(self) -> bool:
        """Whether every element of both sides is finite."""
        return not self.not_finite_a and not self.not_finite_b

    @property
    def cosine(self) -> float:
        """Σab / sqrt(Σa²·Σb²); NaN where a side is zero or not finite."""
        norms = math.sqrt(self.sum_aa) * math.sqrt(self.sum_bb)
        return self.sum_ab / norms if norms > 0 and math.isfinite(norms) else math.nan

    @property
    def one_minus_cosine(self) -> float:
        """1 - cosine from the difference: (Σ(a-b)² - (‖a‖-‖b‖)²) / (2‖a‖‖b‖), which does not saturate.

        Its absolute error is about 1e-15 + 1e-13 times itself: where the norms agree, figures far below
        float32's 6e-8 and float64's 1e-16 keep their digits.
        """
        a, b = math.sqrt(self.sum_aa), math.sqrt(self.sum_bb)
        if not (a * b > 0 and math.isfinite(a * b)):
            return math.nan
        return max(0.0, (self.sum_dd - (a - b) ** 2) / (2 * a * b))

    @property
    def rmse(self) -> float:
        """sqrt(Σ(a-b)² / n); NaN without elements."""
        return math.sqrt(self.sum_dd / self.elements) if self.elements else math.nan

    @property
    def mean_difference(self) -> float:
        """Σ|a-b| / n; NaN without elements."""
        return self.sum_d / self.elements if self.elements else math.nan

    @property
    def relative_l2(self) -> float:
        """‖a-b‖ / ‖a‖; 0 where nothing differs, infinite where only a is zero."""
        if self.sum_dd == 0:
            return 0.0
        return math.sqrt(self.sum_dd) / math.sqrt(self.sum_aa) if self.sum_aa else math.nan + self.sum_dd

    @property
    def norm_ratio(self) -> float:
        """‖b‖ / ‖a‖; NaN where a is zero."""
        return math.sqrt(self.sum_bb) / math.sqrt(self.sum_aa) if self.sum_aa else math.nan


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two tensors of one number of elements, compared in the order of their bytes.

    Parameters
    ----------
    a, b
        What their files say of them.
    raw_a, raw_b
        Their bytes, uint8; a function, because some are made as they are read.
    """

    a: TensorInfo
    b: TensorInfo
    raw_a: Callable[[], Bytes]
    raw_b: Callable[[], Bytes]


def compare_pair(pair: Pair) -> Differences:
    """Compare one pair in this thread; see `compare_all`."""
    return next(compare_all([pair], threads=1))[1]


def compare_all(
    pairs: Sequence[Pair], *, threads: int, window: Window | None = None
) -> Iterator[tuple[Pair, Differences]]:
    """Compare all `pairs` on `threads` threads, and yield each with its figures, in their order.

    Mapped pages are given back window by window, so that memory does not grow with the files.

    Raises
    ------
    LoadError
        A dtype is none of `COMPARED`, or two tensors differ in their number of elements.
    """
    for pair in pairs:
        _require(pair)
    compare = window or fastest()
    if threads <= 1:
        for pair in pairs:
            yield pair, _total(pair, [_compare(compare, part) for part in _asked(_windows(pair))])
        return
    yield from _threaded(pairs, threads, compare)


def fastest() -> Window:
    """Return the compiled pass, or numpy's where numba is not there."""
    if available():
        return _compiled
    from pv_runtime.compare_numpy import compare_window

    return compare_window


def _compiled(
    raw_a: Bytes, dtype_a: str, raw_b: Bytes, dtype_b: str, elements: int,
    rounding: int, block: int, block_bytes: int, sums: NDArray[np.float64], counts: NDArray[np.int64],
) -> None:  # fmt: skip
    from pv_runtime.compare_kernels import KINDS, compare_window

    compare_window(
        _aligned(raw_a), KINDS[dtype_a], _aligned(raw_b), KINDS[dtype_b], elements,
        rounding, block, block_bytes, sums, counts,
    )  # fmt: skip


def _aligned(raw: Bytes) -> Bytes:
    """Return `raw` at a multiple of four bytes and read-only: one type for the compiler."""
    whole = raw if raw.ctypes.data % 4 == 0 and raw.flags.c_contiguous else raw.copy()
    view = whole.view()
    view.flags.writeable = False
    return view


def _require(pair: Pair) -> None:
    for info in (pair.a, pair.b):
        if info.dtype not in COMPARED:
            raise LoadError(f"tensor {info.name} is {info.dtype}, whose values are not compared", info.name)
    if pair.a.elements != pair.b.elements:
        raise LoadError(f"{pair.a.elements} values beside {pair.b.elements}", pair.a.name)


@dataclasses.dataclass(frozen=True)
class _Part:
    """One window of a pair."""

    pair: Pair
    raw_a: Bytes
    raw_b: Bytes
    first: int
    elements: int


def _windows(pair: Pair) -> Iterator[_Part]:
    raw_a, raw_b = pair.raw_a(), pair.raw_b()
    for first in range(0, pair.a.elements, WINDOW):
        elements = min(WINDOW, pair.a.elements - first)
        yield _Part(
            pair,
            raw_a[_bytes(pair.a, first) : _bytes(pair.a, first + elements)],
            raw_b[_bytes(pair.b, first) : _bytes(pair.b, first + elements)],
            first,
            elements,
        )


def _asked(parts: Iterable[_Part]) -> Iterator[_Part]:
    """Yield `parts`, each asked for while the ones before it are worked on."""
    waiting: deque[_Part] = deque()
    for part in parts:
        _ask(part)
        waiting.append(part)
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    yield from waiting


def _ask(part: _Part) -> None:
    ask(part.raw_a)
    ask(part.raw_b)


def _bytes(info: TensorInfo, elements: int) -> int:
    return elements * info.nbytes // info.elements


def block_of(pair: Pair) -> int:
    """Elements of a block of the pair: of the larger one; 0 where neither side has blocks."""
    return max(
        SCHEMES[info.dtype].block_elements if info.dtype in SCHEMES else 0 for info in (pair.a, pair.b)
    )


def _rounding(a: str, b: str) -> int:
    return 0 if a == b else next((_ROUNDINGS[kind] for kind in ("F16", "BF16") if kind in {a, b}), 0)


@dataclasses.dataclass(frozen=True)
class _Figures:
    first: int
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]


def _compare(compare: Window, part: _Part) -> _Figures:
    a, b = part.pair.a.dtype, part.pair.b.dtype
    same = a == b and a in SCHEMES
    sums, counts = np.zeros(6), np.zeros(8, np.int64)
    counts[5:7] = -1
    bring(part.raw_a)
    bring(part.raw_b)
    compare(
        part.raw_a, a, part.raw_b, b, part.elements, _rounding(a, b),
        block_of(part.pair), SCHEMES[a].block_bytes if same else 0, sums, counts,
    )  # fmt: skip
    give_back(part.raw_a)
    give_back(part.raw_b)
    return _Figures(part.first, sums, counts)


def _total(pair: Pair, parts: Sequence[_Figures]) -> Differences:
    """Add the windows' figures; `math.fsum` rounds once, at the end."""
    aa, bb, ab, dd, d = (_sum([float(part.sums[i]) for part in parts]) for i in range(5))
    counted = [sum(int(part.counts[i]) for part in parts) for i in range(5)]
    worst = max(
        parts, key=lambda part: math.inf if np.isnan(part.sums[5]) else float(part.sums[5]), default=None
    )
    differing = [part.first + int(part.counts[6]) for part in parts if part.counts[6] >= 0]
    block = block_of(pair)
    plain = pair.a.dtype == pair.b.dtype and pair.a.dtype not in SCHEMES
    return Differences(
        elements=pair.a.elements,
        not_finite_a=counted[0],
        not_finite_b=counted[1],
        equal=counted[2],
        equal_rounded=counted[3],
        blocks=-(-pair.a.elements // block) if block else 0,
        differing_blocks=counted[4],
        sum_aa=aa,
        sum_bb=bb,
        sum_ab=ab,
        sum_dd=dd,
        sum_d=d,
        max_difference=float(worst.sums[5]) if worst else math.nan,
        max_index=worst.first + int(worst.counts[5]) if worst and worst.counts[5] >= 0 else -1,
        first_difference=min(differing, default=-1),
        max_ulps=max((int(part.counts[7]) for part in parts), default=0)
        if plain and not counted[0] and not counted[1]
        else None,
    )


def _sum(values: Sequence[float]) -> float:
    # Infinities of both signs make fsum raise; their sum is no number.
    return math.fsum(values) if all(math.isfinite(value) for value in values) else float(np.sum(values))


def _threaded(pairs: Sequence[Pair], threads: int, compare: Window) -> Iterator[tuple[Pair, Differences]]:
    """Hand windows to threads in order, and put figures together as they come."""
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[tuple[Pair, list[Future[_Figures]]]] = deque()
        room = threading.Semaphore(_AHEAD * threads)

        def work(part: _Part) -> _Figures:
            try:
                return _compare(compare, part)
            finally:
                room.release()

        try:
            for pair in pairs:
                futures: list[Future[_Figures]] = []
                for part in _windows(pair):
                    _ask(part)
                    room.acquire()
                    futures.append(pool.submit(work, part))
                ahead.append((pair, futures))
                while ahead and all(future.done() for future in ahead[0][1]):
                    yield _finished(*ahead.popleft())
            while ahead:
                yield _finished(*ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _finished(pair: Pair, futures: Sequence[Future[_Figures]]) -> tuple[Pair, Differences]:
    return pair, _total(pair, [future.result() for future in futures])


def compare_tiles(a: TensorInfo, b: TensorInfo, tiles: Iterable[tuple[Floats, Floats]]) -> Differences:
    """Compare decoded tiles, float32 of one shape each, as tensors `a` and `b`.

    Indices, blocks and units in the last place, which refer to a flat order, are left out.
    """
    compare, parts = fastest(), []
    rounding = _rounding(a.dtype, b.dtype)
    for left, right in tiles:
        x, y = left.reshape(-1).view(np.uint8), right.reshape(-1).view(np.uint8)
        sums, counts = np.zeros(6), np.zeros(8, np.int64)
        compare(x, "F32", y, "F32", x.nbytes // 4, rounding, 0, 0, sums, counts)
        counts[5:7] = -1
        parts.append(_Figures(0, sums, counts))
    total = _total(Pair(a, b, _no_bytes, _no_bytes), parts)
    return dataclasses.replace(total, blocks=0, max_ulps=None)


def _no_bytes() -> Bytes:
    return np.zeros(0, np.uint8)
