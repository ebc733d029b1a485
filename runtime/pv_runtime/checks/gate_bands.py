"""By how much a speed may fall below an earlier report's: rates by more than ratios."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from pv.check import Metric, Run, check
from pv_runtime.qa.gate import Finding, Settings
from pv_runtime.qa.speed import performance_regression

__all__ = ["regression_bands"]

Judge = Callable[[dict[str, float], Settings], Finding]


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("wrong", unit="1", kind="count"),
        Metric("rate_band", unit="1", low=0.0),
        Metric("ratio_band", unit="1", low=0.0),
    ]
)
def regression_bands(run: Run, *, regression: float, cases: Sequence[Any]) -> None:
    """Judge pairs of speeds, an earlier one and one of now, allowing a fall of `regression`.

    Each of `cases` is a gate, the two speeds, and whether that is a regression; `wrong` is 1 for each that is
    judged otherwise. `rate_band` and `ratio_band` are the falls that throughput and gpu_speedup were allowed.
    """
    judge: Judge = run.role("judge", performance_regression)
    for gate, before, now, falls in cases:
        found = judge({gate: now}, Settings(previous={gate: before}, regression=regression))
        run.record("wrong", int(found.passed is bool(falls)), label=f"{gate} {before} to {now}")
        band = "rate_band" if gate == "throughput" else "ratio_band"
        run.record(band, -1.0 if found.threshold is None else found.threshold, label=gate)
    run.record("cases", len(cases))


def _with(judge: Judge, regression: Callable[[dict[str, float], float], float]) -> Judge:
    """Judge by another allowance."""

    def judging(values: dict[str, float], settings: Settings) -> Finding:
        return judge(
            values, dataclasses.replace(settings, regression=regression(values, settings.regression))
        )

    return judging


@regression_bands.counter_example("ratios_as_wide_as_rates", of="judge")
def ratios_as_wide_as_rates(judge: Judge) -> Judge:
    """Let ratios fall as far as rates, which vary more."""
    return _with(judge, lambda values, share: share if "throughput" in values else 2.5 * share)


@regression_bands.counter_example("four_times_as_wide", of="judge")
def four_times_as_wide(judge: Judge) -> Judge:
    """Let everything fall by four times as much."""
    return _with(judge, lambda _values, share: 4 * share)


@regression_bands.counter_example("nothing_falls", of="judge")
def nothing_falls(judge: Judge) -> Judge:
    """Pass whatever was measured."""
    return lambda values, settings: dataclasses.replace(judge(values, settings), passed=True)


@regression_bands.counter_example("faster_is_slower", of="judge")
def faster_is_slower(judge: Judge) -> Judge:
    """Take the earlier speed for the one of now."""

    def turned(values: dict[str, float], settings: Settings) -> Finding:
        return judge(dict(settings.previous or {}), dataclasses.replace(settings, previous=values))

    return turned
