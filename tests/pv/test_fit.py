from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pv.binding import bind
from pv.fit import fit, planned

if TYPE_CHECKING:
    from tests.pv.conftest import Project


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"with": {"colour": 1}}, r"does not take \['colour'\]"),
        ({"with": {"numbers": 1}}, r"does not take \['numbers'\]"),
        ({"subjects": {"live": {"letters": "shipped"}}}, r"does not take \['letters'\]"),
        ({"subjects": None}, r"needs \['numbers'\] \(at live level\)"),
        ({"expect": {"functional": ["expected == 3"]}}, "no expectation for the live level"),
        ({"counter_examples": ["typo"]}, "counter-example 'typo' is not planted"),
        ({"counter_examples": ["one_half", "one_half"]}, "counter-example 'one_half' is listed twice"),
        ({"satisfying_example": {"with": {"copies": 2}}}, "has no use for its satisfying_example"),
    ],
)
def test_a_clause_that_does_not_fit_its_check_is_an_error_at_its_place(
    project: Project, changes: dict[str, Any], why: str
) -> None:
    project.contract(**changes)
    falsifier = project.load().falsifiers[0]
    with pytest.raises(Exception, match=why) as caught:
        fit(falsifier, bind(falsifier.check or "", project.config()))
    assert "small-v1.yaml:" in str(caught.value)
    assert project.pv("discharge", falsifier.id).code == 4
    assert project.evidence() == {}


def test_what_is_planted_is_what_the_clause_lists_or_else_all(project: Project) -> None:
    binding = bind("small_checks.wholeness:wholeness", project.config())
    assert planned(project.load().falsifiers[0], binding) == ("one_half", "one_missing")
    project.contract(counter_examples=None)
    assert planned(project.load().falsifiers[0], binding) == tuple(sorted(binding.counter_examples))
    project.contract(counter_examples=[])
    assert planned(project.load().falsifiers[0], binding) == ()
