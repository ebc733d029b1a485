from __future__ import annotations

import pytest

from pv.check import Metric
from pv.defects import parts_of, proved_defects, read_rule
from pv.errors import ExpressionError
from pv.expression.syntax import render

METRICS = {
    metric.name: metric
    for metric in (
        Metric("cosine", low=-1.0, high=1.0, slack=1e-12),
        Metric("tensors", kind="count"),
        Metric("word", kind="text"),
    )
}


def kinds(*rule: str) -> list[str]:
    return [defect.kind for defect in proved_defects(read_rule(rule), METRICS)]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (["min(cosine) >= 0.999"], []),
        (["min(cosine) >= -1"], ["tautology"]),
        (["min(cosine) >= 0.999", "tensors >= 0"], ["tautology"]),
        (["min(cosine) > 1"], ["unsatisfiable"]),
        (["min(cosine) >= 0.9 and max(cosine) <= 0.8"], ["unsatisfiable"]),
        (["word == 3"], ["unsatisfiable"]),
        (["tensors <= -1"], ["unsatisfiable"]),
        (["all(abs(cosine) <= -0.001)"], ["unsatisfiable"]),
        (["loss <= 3"], ["undeclared"]),
    ],
)
def test_proves_what_is_no_test(rule: list[str], found: list[str]) -> None:
    assert kinds(*rule) == found


def test_a_rule_is_taken_apart_at_and() -> None:
    parts = parts_of(read_rule(["tensors == 1 and word == 'a'", "tensors == 1"]))
    assert [render(part) for part in parts] == ["tensors == 1", "word == 'a'"]


@pytest.mark.parametrize("rule", [[], "min(cosine) >= 0.9", ["import os"]])
def test_a_rule_that_cannot_be_read_is_refused(rule: list[str]) -> None:
    with pytest.raises(ExpressionError):
        read_rule(rule)
