"""Hold two traces against each other: like with like, or not at all.

Values are what each side computed from its own earlier ones, so that an error travels: the first stage that
is far off is where it became visible, not always where it was made. `apr bisect` tells that.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.quant.scheme import Floats
from pv_runtime.saved_trace import SavedTrace
from pv_runtime.stage_names import StageKey, written_name
from pv_runtime.trace_origin import TraceOrigin

__all__ = ["StageDifference", "TraceComparison", "compare_traces", "compare_values", "require_like"]


@dataclasses.dataclass(frozen=True, slots=True)
class StageDifference:
    """How far two sides are apart in one stage; b is held against a.

    Parameters
    ----------
    stage, layer
        Which.
    count, equal
        Values, and those of them whose bits are equal.
    relative_l2
        |a - b| / |a| over all tokens; infinite where a is 0 and b is not.
    cosine, worst_token_cosine, worst_token
        Of all values; the least of those of a single token, and that token. A cosine of two zeros is 1,
        of one zero 0.
    max_difference, token, channel
        Greatest |a - b|, and where.
    std_ratio, last_std_ratio
        Standard deviation of b over that of a, of all tokens and of the last; None where a's is 0.
    not_finite_a, not_finite_b
        Values that are not finite. Where there are any, the other figures leave out the tokens with them;
        they are NaN where no token is left.
    """

    stage: str
    layer: int | None
    count: int
    equal: int
    relative_l2: float
    cosine: float
    worst_token_cosine: float
    worst_token: int
    max_difference: float
    token: int
    channel: int
    std_ratio: float | None
    last_std_ratio: float | None
    not_finite_a: int
    not_finite_b: int

    def within(self, threshold: float) -> bool:
        """Whether all bits are equal, or every value is finite and relative_l2 at most `threshold`."""
        if self.equal == self.count:
            return True
        finite = not self.not_finite_a and not self.not_finite_b
        return finite and self.relative_l2 <= threshold


@dataclasses.dataclass(frozen=True, slots=True)
class TraceComparison:
    """The stages that both have, in the order of computation, and those that one has."""

    stages: tuple[StageDifference, ...]
    only_a: tuple[StageKey, ...]
    only_b: tuple[StageKey, ...]


def require_like(a: TraceOrigin, b: TraceOrigin, path: str) -> None:
    """Refuse to compare what was made on different things; `path` is b's.

    Raises
    ------
    LoadError
        Tokens, positions or dtypes differ, or one side does not state its dtype.
    """
    if a.tokens != b.tokens:
        raise LoadError(
            f"was made on other tokens: {_shown(b.tokens)} beside {_shown(a.tokens)}",
            path,
            "trace both on the same prompt",
        )
    if a.positions != b.positions:
        raise LoadError(
            f"has values of other positions: {_shown(b.positions)} beside {_shown(a.positions)}",
            path,
            "figures of all tokens and of the last are different quantities: keep the same on both sides",
        )
    if a.dtype is None or a.dtype != b.dtype:
        raise LoadError(
            f"was computed in {b.dtype or 'no stated dtype'}, the other side in {a.dtype or 'no stated one'}",
            path,
            "compute both in the same dtype, and state it",
        )


def _shown(numbers: tuple[int, ...]) -> str:
    return f"{list(numbers[:8])}{' ...' if len(numbers) > 8 else ''} ({len(numbers)})"


def compare_traces(
    a: SavedTrace, b: SavedTrace, contains: str = "", *, only: Collection[StageKey] | None = None
) -> TraceComparison:
    """Compare every stage that both have, whose written name holds `contains`, and that is in `only`.

    Raises
    ------
    LoadError
        `require_like` refuses; a stage has another count of values on each side; or no stage is on both.
    """
    require_like(a.origin, b.origin, b.path)
    in_a, in_b = (
        [key for key in side.stages() if contains in written_name(*key) and (only is None or key in only)]
        for side in (a, b)
    )
    both = [key for key in in_a if key in set(in_b)]
    for key in both:
        if a.features(*key) != b.features(*key):
            raise LoadError(
                f"{written_name(*key)} has {b.features(*key)} values for each token, "
                f"the other side has {a.features(*key)}",
                b.path,
            )
    if not both:
        raise LoadError(
            f"has no stage{f' with {contains!r} in its name' if contains else ''} that {a.path} has", b.path
        )
    return TraceComparison(
        tuple(compare_values(*key, a.values(*key), b.values(*key)) for key in both),
        tuple(key for key in in_a if key not in set(in_b)),
        tuple(key for key in in_b if key not in set(in_a)),
    )


def compare_values(stage: str, layer: int | None, a: Floats, b: Floats) -> StageDifference:
    """Compare ``[positions, features]`` of two sides, in float64.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"{written_name(stage, layer)}: {list(b.shape)} values beside {list(a.shape)}")
    equal = int(np.count_nonzero(_bits(a) == _bits(b)))
    finite_a, finite_b = np.isfinite(a), np.isfinite(b)
    rows = np.flatnonzero((finite_a & finite_b).all(axis=1))
    gaps = (a.size - int(finite_a.sum()), b.size - int(finite_b.sum()))
    if not len(rows):
        nan = math.nan
        return StageDifference(
            stage, layer, a.size, equal, nan, nan, nan, 0, nan, 0, 0, None, None, *gaps
        )  # fmt: skip
    x, y = a[rows].astype(np.float64), b[rows].astype(np.float64)
    apart = np.abs(x - y)
    at, channel = divmod(int(apart.argmax()), a.shape[1])
    dots, xs, ys = (np.einsum("ij,ij->i", *pair) for pair in ((x, y), (x, x), (y, y)))
    each = [_cosine(*row) for row in zip(dots.tolist(), xs.tolist(), ys.tolist(), strict=True)]
    worst = int(np.argmin(each))
    return StageDifference(
        stage, layer, a.size, equal,
        relative_l2=_ratio(float(np.sqrt((apart**2).sum())), math.sqrt(float(xs.sum()))),
        cosine=_cosine(float(dots.sum()), float(xs.sum()), float(ys.sum())),
        worst_token_cosine=each[worst],
        worst_token=int(rows[worst]),
        max_difference=float(apart.max()),
        token=int(rows[at]),
        channel=channel,
        std_ratio=_std_ratio(x, y),
        last_std_ratio=_std_ratio(x[-1], y[-1]) if rows[-1] == len(a) - 1 else None,
        not_finite_a=gaps[0],
        not_finite_b=gaps[1],
    )  # fmt: skip


def _bits(values: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.uint32]]:
    found: np.ndarray[tuple[int, ...], np.dtype[np.uint32]] = np.ascontiguousarray(values).view(np.uint32)
    return found


def _ratio(difference: float, size: float) -> float:
    return difference / size if size else (math.inf if difference else 0.0)


def _cosine(dot: float, x: float, y: float) -> float:
    if not x or not y:
        return 1.0 if x == y else 0.0
    return max(-1.0, min(1.0, dot / math.sqrt(x) / math.sqrt(y)))


def _std_ratio(
    x: np.ndarray[tuple[int, ...], np.dtype[np.float64]], y: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> float | None:
    if x.size < 2:
        return None
    spread = float(x.std(ddof=1))
    return float(y.std(ddof=1)) / spread if spread else None
