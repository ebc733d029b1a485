"""What the values of one stage are like: of all tokens, of the last one, and where they peak.

Figures of all tokens and of the last are kept apart because they are different quantities: the first token
of many models carries a few enormous channels (Sun et al., Massive Activations, 2024), so that the two
differ fifty-fold where nothing is wrong.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Figures", "Peak", "StageStatistics", "figures", "stage_statistics"]

_CHUNK = 1 << 17
"""Values that are widened to float64 at a time: a megabyte, which stays in a core's cache."""
_UNTHREADED = 8192
_TOP = 100
"""One channel in so many makes the top of a token."""

_Row = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a set of values; of the finite ones but for the counts, and None where there are none.

    Parameters
    ----------
    count
        All values.
    minimum, maximum, mean
        In float64.
    std
        sqrt(Σ(x - mean)² / (n - 1)), by two passes; None below two values.
    rms
        sqrt(Σx² / n).
    nan, infinite, zeros
        How many there are; -0 is a zero.
    """

    count: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    std: float | None
    rms: float | None
    nan: int
    infinite: int
    zeros: int


@dataclasses.dataclass(frozen=True, slots=True)
class Peak:
    """The token with the greatest sum of squares, and how it spreads over its channels.

    Parameters
    ----------
    token, channel
        Where its greatest magnitude is, counted from 0.
    magnitude
        That magnitude.
    token_share
        This token's share of all tokens' sum of squares.
    top_share
        Share of the token's sum of squares in its largest hundredth of channels (at least one).
    over_median
        Its greatest magnitude by its median one; infinite where that is 0.
    std_of_others
        Of all other tokens together; None where there is none.
    """

    token: int
    channel: int
    magnitude: float
    token_share: float
    top_share: float
    over_median: float
    std_of_others: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class StageStatistics:
    """Figures of one stage of one layer (None for the whole model); `peak` is None without finite values."""

    stage: str
    layer: int | None
    all: Figures
    last: Figures
    peak: Peak | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Rows:
    """Figures of each row, float64 ``[rows]``; n, mean and squares are of finite values."""

    low: _Row
    high: _Row
    n: _Row
    mean: _Row
    squares: _Row
    """Σ(x - mean)² of the row's own mean."""
    zeros: _Row
    nan: _Row
    infinite: _Row

    def part(self, kept: slice | NDArray[np.bool_]) -> _Rows:
        return _Rows(*(getattr(self, field.name)[kept] for field in dataclasses.fields(self)))


def stage_statistics(stage: str, layer: int | None, values: Tensor) -> StageStatistics:
    """Measure `values`, floats ``[tokens, features]``, neither of them 0; they are not changed."""
    table = _table(values)
    rows = _rows(table)
    features = table.shape[1]
    everything = _figures(rows, features)
    last = everything if len(table) == 1 else _figures(rows.part(slice(-1, None)), features)
    return StageStatistics(stage, layer, everything, last, _peak(table, rows))


def figures(values: Tensor) -> Figures:
    """Measure all of `values`, floats of any shape with at least one value."""
    table = _table(values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values.reshape(1, -1))
    return _figures(_rows(table), table.shape[1])


def _table(values: Tensor) -> NDArray[np.float32]:
    """Return float32 values on the host: a view where they are that already, else widened exactly."""
    found: NDArray[np.float32] = values.detach().to("cpu", torch.float32).numpy()
    return found


def _rows(table: NDArray[np.float32]) -> _Rows:
    """Take the figures of each row, a chunk of rows at a time, so that no float64 copy of all is made.

    NumPy on one thread: what is measured lies in the caches, where starting a second one costs more than
    it saves, and its reductions along rows are several times those of torch.
    """
    height = max(1, _CHUNK // table.shape[1])
    parts = [_chunk(table[start : start + height]) for start in range(0, len(table), height)]
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in dataclasses.fields(_Rows)]
    return _Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _chunk(table: NDArray[np.float32]) -> _Rows:
    height, width = table.shape
    low, high = table.min(1), table.max(1)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):  # a NaN makes both NaN
        return _chunk_with_gaps(table)
    none = np.zeros(height)
    touches = bool(np.abs(table).min() == 0)  # three times as quick as counting, and mostly enough
    wide = table.astype(np.float64)
    mean = wide.mean(1)
    wide -= mean[:, None]
    return _Rows(
        low.astype(np.float64), high.astype(np.float64), np.full(height, float(width)), mean, _squares(wide),
        _counted(table == 0) if touches else none, none, none,
    )  # fmt: skip


def _chunk_with_gaps(table: NDArray[np.float32]) -> _Rows:
    finite = np.isfinite(table)
    n, nan = _counted(finite), _counted(np.isnan(table))
    wide = np.where(finite, table, 0).astype(np.float64)
    mean = wide.sum(1) / np.maximum(n, 1)
    low = np.where(finite, table, np.inf).min(1).astype(np.float64)
    high = np.where(finite, table, -np.inf).max(1).astype(np.float64)
    apart = np.where(finite, wide - mean[:, None], 0)
    squares = _squares(apart)
    return _Rows(low, high, n, mean, squares, _counted(table == 0), nan, table.shape[1] - n - nan)


def _counted(which: NDArray[np.bool_]) -> _Row:
    found: NDArray[np.intp] = np.count_nonzero(which, axis=1)
    return found.astype(np.float64)


def _squares(wide: NDArray[np.float64]) -> _Row:
    """Sum the squares of each row."""
    # NumPy 2's is three times as quick, until BLAS starts threads for a row.
    quick = getattr(np, "vecdot", None) if wide.shape[1] <= _UNTHREADED else None
    found: _Row = quick(wide, wide) if quick else np.einsum("ij,ij->i", wide, wide)
    return found


def _figures(rows: _Rows, features: int) -> Figures:
    """Join rows: squares about the common mean are those of each row and those of the rows' means."""
    count, n = len(rows.n) * features, float(rows.n.sum())
    counts = (int(rows.nan.sum()), int(rows.infinite.sum()), int(rows.zeros.sum()))
    if not n:
        return Figures(count, None, None, None, None, None, *counts)
    mean = float(rows.n @ rows.mean) / n
    squares = float(rows.squares.sum() + rows.n @ (rows.mean - mean) ** 2)
    return Figures(
        count,
        float(rows.low.min()),
        float(rows.high.max()),
        mean,
        math.sqrt(squares / (n - 1)) if n > 1 else None,
        math.sqrt(squares / n + mean * mean),
        *counts,
    )


def _peak(table: NDArray[np.float32], rows: _Rows) -> Peak | None:
    if not rows.n.any():
        return None
    energy = rows.squares + rows.n * rows.mean**2
    total, token = float(energy.sum()), int(energy.argmax())
    sizes = np.abs(table[token])
    sizes[~np.isfinite(sizes)] = 0
    ranked = torch.from_numpy(sizes)
    top = ranked.topk(max(1, len(sizes) // _TOP)).values.double()
    magnitude, median = float(top[0]), float(ranked.median())
    return Peak(
        token,
        int(sizes.argmax()),
        magnitude,
        float(energy[token]) / total if total else 0.0,
        min(1.0, float(top @ top) / float(energy[token])) if energy[token] else 0.0,
        magnitude / median if median else math.inf,
        _std_of_others(rows, token, table.shape[1]),
    )


def _std_of_others(rows: _Rows, token: int, features: int) -> float | None:
    if len(rows.n) == 1:
        return None
    return _figures(rows.part(np.arange(len(rows.n)) != token), features).std
