from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pv.project import Project as Surroundings
from pv.rule_defects import defects_of

if TYPE_CHECKING:
    from tests.pv.conftest import Project

SOUND = "max(distance) <= 0.25"


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        ([SOUND], []),
        ([SOUND, "max(distance) <= 0.5"], [("tautology", SOUND, 1)]),
        ([SOUND, f"{SOUND} and spare >= 0"], [("tautology", SOUND, 1)]),
        ([SOUND, "min(distance) > 0.5"], [("unsatisfiable", SOUND, 1)]),
        (["min(distance) > 0.4", "min(distance) < 0.3"], [("unsatisfiable", "min(distance) > 0.4", 0)]),
        ([SOUND, "gone == 1", "gone == gone"], [("undeclared", SOUND, 1), ("undeclared", SOUND, 2)]),
        ([SOUND, "import os"], []),
        (
            {"live": [SOUND], "functional": ["max(distance) <= 0.5"]},
            [("tautology", "max(distance) <= 0.5", 0)],
        ),
    ],
)
def test_each_defect_stands_at_its_line(
    project: Project, expect: Any, found: list[tuple[str, str, int]]
) -> None:
    path = project.contract(expect=expect)
    lines = path.read_text(encoding="utf-8").splitlines()
    defects = list(defects_of(project.load(), Surroundings(project.root)))
    assert [defect.kind for _, defect, _ in defects] == [kind for kind, _, _ in found]
    for (_, _, where), (_, first, offset) in zip(defects, found, strict=True):
        expected = next(n for n, line in enumerate(lines, 1) if line.strip() == f"- {first}") + offset
        assert where.line == expected


def test_of_a_check_that_cannot_be_read_nothing_is_said(project: Project) -> None:
    project.contract(check="small_checks.gone:gone", expect=["gone == 1"])
    assert list(defects_of(project.load(), Surroundings(project.root))) == []
