from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pv.errors import SelectionError
from pv.selection import select
from pv.selection_expression import FIELDS, parse_selection, selected_by

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ONE, TWO, THREE = (f"FALSIFY-SMALL-00{number}" for number in (1, 2, 3))


@pytest.fixture
def three(project: Project) -> Project:
    """One that has everything; one that needs a GPU and has tags; one that is unbound."""
    first = {"id": ONE, "covers": ["a", "b"]}
    second = {
        "id": TWO,
        "tags": ["slow", "nightly"],
        "needs": {"memory": "8 GiB", "timeout": "1 h", "gpu": ">=8.9"},
        "subjects": {"live": {"numbers": "shipped"}},
        "ship_blocking": False,
    }
    third = {"id": THREE, "check": None, "model": "tiny"}
    from tests.pv.conftest import CLAUSE

    project.contract(*(dict(CLAUSE) | one for one in (first, second, third)))
    return project


def chosen(project: Project, text: str) -> list[str]:
    config = project.config()
    everything = select([str(project.root / "contracts")], config)
    return [item.falsifier.id for item in selected_by(text, everything, config)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'id == "{ONE}"', [ONE]),
        (f'id in {{"{ONE}", "{THREE}"}} and contract == "small-v1"', [ONE, THREE]),
        ('any(tag == "slow")', [TWO]),
        ('not any(tag == "slow")', [ONE, THREE]),
        ('any(level == "functional")', [ONE, THREE]),
        ('status == "UNBOUND"', [ONE, TWO, THREE]),
        ('status == "STALE"', []),
        ('any(needs.gpu != "")', [TWO]),
        ("needs.memory >= 8 * 1024 * 1024 * 1024 or needs.timeout > 1800.5", [TWO]),
        ('needs_gpu == ""', [ONE, THREE]),
        ('bound == ""', [THREE]),
        ('check == "small_checks.wholeness:wholeness"', [ONE, TWO]),
        ("ship_blocking == 1", [ONE, THREE]),
        ('model == "tiny"', [THREE]),
        ('any(covers == "b")', [ONE]),
        ('any(subject == "stand-in") and base == "functional"', [ONE, THREE]),
        ('kind == "pattern" and outcome == "holds"', [ONE, TWO, THREE]),
    ],
)
def test_it_selects_by_what_a_falsifier_is(three: Project, text: str, expected: list[str]) -> None:
    assert chosen(three, text) == expected


def test_a_status_is_the_derived_one(copied: Project) -> None:
    assert chosen(copied, 'status == "DISCHARGED"') == [ONE]
    copied.edit("small_checks/scale.py", "SCALE = 1.0", "SCALE = 1.25")
    assert chosen(copied, 'status == "STALE"') == [ONE]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('colour == "red"', "colour is no field of a falsifier"),
        ('needs.colour == "red"', "is not part of the language"),
        ('id.upper == "A"', "is not part of the language"),
        ("id == 1", "compares a text with a number"),
        ('needs.memory == "8 GiB"', "compares a text with a number"),
        ('id > "A"', "no order"),
        ("1 == 1", "names no metric"),
        ("id", "neither true nor false"),
        ("__import__('os')", "is not a function of the language"),
        ("", "empty"),
    ],
)
def test_what_it_cannot_mean_is_refused(text: str, why: str) -> None:
    with pytest.raises(SelectionError, match=why):
        parse_selection(text)


def test_what_cannot_be_judged_is_never_left_out_unsaid(three: Project) -> None:
    with pytest.raises(SelectionError, match=rf"cannot be judged of small-v1#{ONE}: .*") as caught:
        chosen(three, 'level == "live"')
    assert "any(" in caught.value.remedy


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.sampled_from([name for name, (kind, _) in FIELDS.items() if kind == "text"]),
    st.sampled_from(["live", "slow", "UNBOUND", "", ONE, "shipped"]),
)
def test_each_is_selected_by_an_expression_or_by_its_denial(three: Project, field: str, word: str) -> None:
    expression = f'any({field} == "{word}")'
    yes, no = chosen(three, expression), chosen(three, f"not ({expression})")
    assert sorted([*yes, *no]) == [ONE, TWO, THREE]
