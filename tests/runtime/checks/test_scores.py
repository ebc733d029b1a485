from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.scores import counted_shares

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
CASES = [[3, 4, 0.75], [0, 4, 0.0]]


def test_three_of_four_are_three_quarters(measure: Measure) -> None:
    assert measure(counted_shares, {}, cases=CASES)["off"] == [0.0, 0.0]


@pytest.mark.parametrize("name", list(counted_shares.counter_examples))
def test_each_defect_scores_otherwise(measure: Measure, name: str) -> None:
    assert max(measure(counted_shares, {}, name, cases=CASES)["off"]) > 0.01
