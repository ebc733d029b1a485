from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.gate_bands import regression_bands

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
CASES = [
    ["throughput", 409.6, 367.8, False],
    ["throughput", 400.0, 180.0, True],
    ["gpu_speedup", 1.37, 1.2, True],
    ["gpu_speedup", 1.37, 1.3, False],
]


def test_rates_may_fall_by_more_than_ratios(measure: Measure) -> None:
    run = measure(regression_bands, {}, regression=0.1, cases=CASES)
    assert run["wrong"] == [0, 0, 0, 0]
    assert run["rate_band"] == [0.25, 0.25]
    assert run["ratio_band"] == [0.1, 0.1]


@pytest.mark.parametrize("name", list(regression_bands.counter_examples))
def test_each_defect_judges_a_case_wrongly(measure: Measure, name: str) -> None:
    assert sum(measure(regression_bands, {}, name, regression=0.1, cases=CASES)["wrong"]) >= 1
