from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

EQUATIONS: Mapping[str, Any] = {
    "mean": {
        "formula": "m = sum_i x_i / n",
        "domain": "x [n]",
        "codomain": "[0, 1]",
        "invariants": ["m is in the hull of x"],
        "preconditions": ["n > 0"],
        "postconditions": ["m.is_finite()"],
    },
    "median": {"formula": "the middle one of 100 % of x"},
    "lonely": {"formula": "y = b & c"},
}
OBLIGATIONS = [
    {"id": "MEAN-001", "type": "bound", "property": "bounded", "applies_to": "mean"},
    {"id": "MEDIAN-001", "type": "bound", "property": "the median is one of x"},
    {"type": "bound", "property": "medians are no name of it"},
]


@pytest.fixture
def stated(project: Project) -> Project:
    path = project.contract(covers=["MEDIAN-001"], prediction="the mean is right")
    document = yaml.safe_load(path.read_text())
    path.write_text(
        yaml.safe_dump(
            {**document, "equations": dict(EQUATIONS), "proof_obligations": OBLIGATIONS}, sort_keys=False
        )
    )
    return project


def test_who_speaks_of_what(stated: Project) -> None:
    (contract,) = stated.pv("equations", "--json").json["contracts"]
    spoken = {
        one["equation"]: ([o["id"] for o in one["obligations"]], one["falsifiers"])
        for one in contract["equations"]
    }
    mine = ["small-v1#FALSIFY-SMALL-001"]
    assert spoken == {"mean": (["MEAN-001"], mine), "median": (["MEDIAN-001"], mine), "lonely": ([], [])}


def test_text_says_all_that_there_is(stated: Project) -> None:
    ended = stated.pv("equations", "contracts")
    assert ended.code == Exit.ACCEPTED
    assert ended.err == ""
    assert ended.out.splitlines() == [
        "small-v1: 3 equation(s)",
        "  mean",
        "    m = sum_i x_i / n",
        "    domain        x [n]",
        "    codomain      [0, 1]",
        "    invariant     m is in the hull of x",
        "    precondition  n > 0",
        "    postcondition m.is_finite()",
        "    obligation    MEAN-001: bounded",
        "    falsifier     FALSIFY-SMALL-001: The shipped numbers are nearly whole",
        "  median",
        "    the middle one of 100 % of x",
        "    obligation    MEDIAN-001: the median is one of x",
        "    falsifier     FALSIFY-SMALL-001: The shipped numbers are nearly whole",
        "  lonely",
        "    y = b & c",
        "    no obligation and no falsifier names it",
    ]


def test_latex_has_what_was_read_and_the_rest_verbatim(stated: Project) -> None:
    out = stated.pv("equations", "--format", "latex").out
    assert "\\[ m = \\sum_{i}\\,x_{i} / n \\]" in out
    assert "\\[ \\texttt{the middle one of 100 \\% of x} \\]" in out
    assert "\\[ \\texttt{y = b \\& c} \\]" in out
    assert "\\item[postcondition] \\texttt{m.is\\_finite()}" in out
    told = stated.pv("equations", "--json").json["contracts"][0]["equations"]
    assert [one["latex_complete"] for one in told] == [True, False, False]


def test_of_one_equation_everything_that_names_none_speaks(project: Project) -> None:
    path = project.contract()
    text = path.read_text() + yaml.safe_dump({"equations": {"only": {"formula": "a = b"}}})
    path.write_text(text)
    (contract,) = project.pv("equations", "--json").json["contracts"]
    assert contract["equations"][0]["falsifiers"] == ["small-v1#FALSIFY-SMALL-001"]


def test_no_equation_is_a_usage_error(project: Project) -> None:
    ended = project.pv("equations")
    assert ended.code == Exit.USAGE
    assert ended.out == ""
    assert "no equations in what was named" in ended.err
