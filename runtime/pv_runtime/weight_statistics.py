"""What the values of a tensor look like: range, mean, spread, and how many are zero or not finite."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pv_runtime.formats.checkpoint import PLAIN, Checkpoint, TensorInfo, decode
from pv_runtime.formats.ggml_types import GGML_NUMBERS, GGML_TYPES
from pv_runtime.formats.pages import bring, give_back
from pv_runtime.quant.scheme import Floats

__all__ = ["WeightStatistics", "weight_statistics"]

_CHUNK = 1 << 20
"""Elements decoded at a time: memory stays the same whatever the tensor's size."""


@dataclasses.dataclass(frozen=True)
class WeightStatistics:
    """Figures over the finite values; None where there are none of those.

    Parameters
    ----------
    minimum, maximum
        The extremes.
    mean, std
        Arithmetic mean and population standard deviation sqrt(Σ(x-mean)²/n), in float64.
    zeros, nan, infinite
        How many elements are ±0, not a number, and ±infinity.
    """

    minimum: float | None
    maximum: float | None
    mean: float | None
    std: float | None
    zeros: int
    nan: int
    infinite: int


def weight_statistics(model: Checkpoint, name: str) -> WeightStatistics:
    """Read all of a tensor and summarise it.

    Chunks are merged by their sums of squares about their own means, which loses nothing where the
    mean is large (Chan, Golub and LeVeque, 1979).

    Raises
    ------
    LoadError
        Its dtype cannot be decoded here.
    """
    low, high, mean, squares = math.inf, -math.inf, 0.0, 0.0
    count = zeros = nan = infinite = 0
    for chunk in _chunks(model, name):
        finite = chunk[np.isfinite(chunk)]
        missing = int(np.count_nonzero(np.isnan(chunk)))
        nan += missing
        infinite += chunk.size - finite.size - missing
        zeros += int(np.count_nonzero(chunk == 0))
        if not finite.size:
            continue
        low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        values: NDArray[np.float64] = finite.astype(np.float64)
        here = float(values.mean())
        values -= here
        shift, whole = here - mean, count + finite.size
        squares += float(values @ values) + shift * shift * count * finite.size / whole
        mean += shift * finite.size / whole
        count = whole
    if not count:
        return WeightStatistics(None, None, None, None, zeros, nan, infinite)
    return WeightStatistics(low, high, mean, math.sqrt(squares / count), zeros, nan, infinite)


def _chunks(model: Checkpoint, name: str) -> Iterator[Floats]:
    """Decode a tensor a piece at a time, where its dtype has blocks of one size throughout."""
    info = model.info(name)
    known = GGML_TYPES.get(GGML_NUMBERS.get(info.dtype, -1), ("", 1, PLAIN.get(info.dtype, 0)))
    _, elements, size = known
    if info.elements // elements * size != info.nbytes:  # whatever else it is, it decodes as a whole
        yield model.tensor(name).reshape(-1)
        return
    raw, step = model.raw(name), _CHUNK // elements
    for start in range(0, info.nbytes, step * size):
        part = raw[start : start + step * size]
        piece = TensorInfo(name, info.dtype, (part.size // size * elements,), part.size)
        bring(part)
        yield decode(piece, part, model.path)
        give_back(part)
