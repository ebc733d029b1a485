"""What is odd about a trace: in a stage by itself, and in a layer beside its neighbours.

The figures of the last token decide. Those of all tokens alone are no ground for alarm: many models put a
few enormous channels on their first token (Sun et al., Massive Activations, 2024), and a spread over all
tokens shows little else.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

from pv_runtime.stage_names import written_name
from pv_runtime.stages import LAYER_STAGES
from pv_runtime.trace_statistics import Figures, StageStatistics

__all__ = ["ENOUGH_LAYERS", "Anomaly", "FeedForwardRow", "anomalies", "feed_forward_rows"]

ENOUGH_LAYERS = 5
"""Layers below which none is held against its neighbours: a spread of three is no spread."""
_CONSTANT = 1e-8
_DEAD = 0.5
_NEIGHBOURS = 3
_SPREADS = 3.0
_SIGMA = 1.4826
"""Standard deviations of a normal distribution in its median absolute deviation."""
_FAR = math.log(3)
_MASSIVE = 1000.0
_CONCENTRATED = 0.9
_EDGE = 2.0
"""How much farther the first and the last layer may be off: both are unlike the others in many models."""
_STREAM = ("post_attn_residual", "layer_output")
"""Stages of the residual stream, to which each layer adds: it grows, and a jump is that of a branch."""
_FEED_FORWARD = ("ffn_norm", "ffn_gate", "ffn_up", "ffn_silu", "ffn_swiglu", "ffn_out")
_ENTERS, _BEFORE = 3.0, 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Anomaly:
    """Something odd.

    Parameters
    ----------
    kind
        ``"nan"``, ``"infinite"``, ``"constant"``, ``"zeros"`` or ``"outlier"``.
    severity
        ``"defect"``: no working model does this. ``"suspect"``: a layer unlike its neighbours, as damage
        makes one and as training may. ``"expected"``: a massive activation of the first token.
    stage, layer
        Where; layer None for the whole model.
    of
        ``"all"`` tokens or the ``"last"``.
    value, usual
        The figure, and what it usually is there; counts, or standard deviations.
    token, channel
        Where the greatest magnitude is, if one token makes the difference; else None.
    text
        The same in words.
    """

    kind: str
    severity: str
    stage: str
    layer: int | None
    of: str
    value: float
    usual: float
    token: int | None
    channel: int | None
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class FeedForwardRow:
    """One layer's feed-forward stages beside the median of the middle layers.

    Parameters
    ----------
    layer
        The block.
    ratios
        Of each stage, its standard deviation over the median of that of the other middle layers.
    enters
        The first stage at least 3 times the median while those before it are at most 2 times;
        None where there is none.
    """

    layer: int
    ratios: Mapping[str, float]
    enters: str | None


def anomalies(traced: Sequence[StageStatistics]) -> tuple[Anomaly, ...]:
    """Judge a trace; defects come before suspects, and each in the order of computation."""
    found = [anomaly for each in traced for anomaly in _alone(each)]
    for stage in LAYER_STAGES:
        layers = [each for each in traced if each.stage == stage and each.layer is not None]
        found += _falls(layers) if stage in _STREAM else _beside_neighbours(layers)
    place = {(each.stage, each.layer): number for number, each in enumerate(traced)}
    severities = ("defect", "suspect", "expected")
    return tuple(sorted(found, key=lambda a: (severities.index(a.severity), place[a.stage, a.layer])))


def _alone(each: StageStatistics) -> Iterator[Anomaly]:
    """Apply what needs no other layer."""
    name = written_name(each.stage, each.layer)

    def defect(kind: str, of: str, value: float, usual: float, text: str) -> Anomaly:
        return Anomaly(kind, "defect", each.stage, each.layer, of, value, usual, None, None, text)

    for kind, count in (("nan", each.all.nan), ("infinite", each.all.infinite)):
        if count:
            last = {"nan": each.last.nan, "infinite": each.last.infinite}[kind]
            what = {"nan": "not a number", "infinite": "infinite"}[kind]
            text = f"{name}: {count} of {each.all.count} values are {what}, {last} of them in the last token"
            yield defect(kind, "all", count, 0, text)
    for of, figures in _sets(each):
        if figures.std is not None and figures.std < _CONSTANT:
            text = f"{name}: the values of {_of(of)} are all but one value: std {figures.std:.3g}"
            yield defect("constant", of, figures.std, _CONSTANT, text)
        elif figures.zeros > _DEAD * figures.count:
            text = f"{name}: {figures.zeros} of {figures.count} values of {_of(of)} are zero"
            yield defect("zeros", of, figures.zeros, 0, text)


def _sets(each: StageStatistics) -> Iterator[tuple[str, Figures]]:
    yield "all", each.all
    if each.last is not each.all and each.last != each.all:
        yield "last", each.last


def _of(of: str) -> str:
    return "the last token" if of == "last" else "all tokens"


def _falls(layers: Sequence[StageStatistics]) -> Iterator[Anomaly]:
    """Find where the residual stream of the last token becomes small: something was not added to."""
    for before, each in itertools.pairwise(layers):
        value, usual = each.last.std, before.last.std
        if value and usual and math.log(usual / value) > _FAR:
            yield _outlier(each, "last", value, usual, "suspect", None)


def _beside_neighbours(layers: Sequence[StageStatistics]) -> Iterator[Anomaly]:
    """Hold each layer's standard deviation against the median of its neighbours'; see `_far`."""
    last = _far(layers, lambda each: each.last.std)
    everything = _far(layers, lambda each: each.all.std)
    others = _far(layers, lambda each: each.all.std if each.peak is None else each.peak.std_of_others)
    for number, each in enumerate(layers):
        if number in last:
            assert each.last.std is not None  # noqa: S101 - what is far has a figure
            yield _outlier(each, "last", each.last.std, last[number], "suspect", None)
        elif number in everything:
            assert each.all.std is not None  # noqa: S101 - what is far has a figure
            one_token = number not in others and each.peak is not None
            severity = "expected" if one_token and _is_massive(each) else "suspect"
            token = each.peak.token if one_token and each.peak is not None else None
            yield _outlier(each, "all", each.all.std, everything[number], severity, token)


def _is_massive(each: StageStatistics) -> bool:
    peak = each.peak
    return (
        peak is not None
        and peak.token == 0
        and peak.over_median > _MASSIVE
        and peak.top_share > _CONCENTRATED
    )


def _outlier(
    each: StageStatistics, of: str, value: float, usual: float, severity: str, token: int | None
) -> Anomaly:
    text = f"{written_name(each.stage, each.layer)}: std {value:.4g} of {_of(of)}, usual is {usual:.4g}"
    channel = None
    if token is not None and each.peak is not None:
        channel = each.peak.channel
        text += f"; token {token} alone makes the difference, most of all channel {channel}"
    if severity == "expected":
        text += ", a massive activation as many models have"
    return Anomaly("outlier", severity, each.stage, each.layer, of, value, usual, token, channel, text)


def _far(
    layers: Sequence[StageStatistics], figure: Callable[[StageStatistics], float | None]
) -> dict[int, float]:
    """Return which of `layers` are far from their neighbours, by place, and what is usual there.

    A layer's deviation is log(std / median of up to three layers to each side). It is far if it exceeds
    log 3 and three robust standard deviations of the other layers': 1.4826 times the median of their
    deviations, each taken as if this layer were not there. For the first and last layer, twice that.
    """
    logs = {number: math.log(value) for number, each in enumerate(layers) if (value := figure(each))}
    if len(logs) < ENOUGH_LAYERS:
        return {}
    found = {}
    for number, value in logs.items():
        usual = _usual(logs, number, number)
        others = [abs(logs[other] - _usual(logs, other, number)) for other in logs if other != number]
        limit = max(_FAR, _SPREADS * _SIGMA * statistics.median(others))
        if abs(value - usual) > limit * (_EDGE if number in {0, len(layers) - 1} else 1):
            found[number] = math.exp(usual)
    return found


def _usual(logs: Mapping[int, float], place: int, without: int) -> float:
    """Return the median of the layers beside `place`, or of all where none is within reach."""
    others = [number for number in logs if number not in {place, without}]
    near = [logs[number] for number in others if abs(number - place) <= _NEIGHBOURS]
    return statistics.median(near or [logs[number] for number in others])


def feed_forward_rows(traced: Sequence[StageStatistics], of: str = "last") -> tuple[FeedForwardRow, ...]:
    """Say for each layer at which feed-forward stage its values first become larger than usual.

    What is usual is the median over the middle layers: from five in twenty-eight on, without the last
    (of a model with 28 layers, 5 to 26), and without the layer itself.

    Parameters
    ----------
    traced
        A trace; layers of which a stage is missing have no row.
    of
        ``"last"`` token or ``"all"``.
    """
    spreads: dict[int, dict[str, float]] = {}
    for each in traced:
        figures = each.last if of == "last" else each.all
        if each.layer is not None and each.stage in _FEED_FORWARD and figures.std:
            spreads.setdefault(each.layer, {})[each.stage] = figures.std
    whole = {layer: found for layer, found in sorted(spreads.items()) if len(found) == len(_FEED_FORWARD)}
    count = max(whole, default=-1) + 1
    middle = [layer for layer in whole if 5 * count // 28 <= layer < count - 1]
    rows = []
    for layer, found in whole.items():
        beside = [whole[other] for other in middle if other != layer]
        if not beside:
            continue
        ratios = {stage: found[stage] / statistics.median(row[stage] for row in beside) for stage in found}
        rows.append(FeedForwardRow(layer, ratios, _entered(ratios)))
    return tuple(rows)


def _entered(ratios: Mapping[str, float]) -> str | None:
    for stage in _FEED_FORWARD:
        if ratios[stage] >= _ENTERS:
            return stage
        if ratios[stage] > _BEFORE:
            return None
    return None
