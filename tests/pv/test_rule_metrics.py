from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv.errors import BindingError
from pv.rule_metrics import rule_metrics
from tests.pv.conftest import CLAUSE

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def kinds(project: Project, *lines: str) -> dict[str, str]:
    project.contract({**CLAUSE, "expect": list(lines)})
    return {metric.name: metric.kind for metric in rule_metrics(project.load().falsifiers[0])}


def test_kinds_are_those_by_which_a_rule_makes_sense(project: Project) -> None:
    assert kinds(
        project,
        "min(cosine) >= 0.993",
        "count(cosine) == expected and one_sided == 0",
        'first(name) in {"a", "b"} and name == other',
        "expected == also_counted",
        "max(abs(log(error))) / 2 <= 1",
    ) == {
        "cosine": "real",
        "expected": "count",
        "one_sided": "count",
        "name": "text",
        "other": "text",
        "also_counted": "count",
        "error": "real",
    }


def test_a_line_that_is_no_expression_is_refused_at_its_place(project: Project) -> None:
    with pytest.raises(BindingError) as caught:
        kinds(project, "min(cosine) >= 0.5", "min(cosine >=")
    assert caught.value.where is not None
    line = (project.root / "contracts/small-v1.yaml").read_text().splitlines()[caught.value.where.line - 1]
    assert "min(cosine >=" in line
