from __future__ import annotations

import itertools

import pytest
from pv_runtime.qa.gate import REQUIRED, Outcome, Result, verdict

NAMES = sorted(REQUIRED)


def results(outcomes: tuple[Outcome, ...], further: tuple[Outcome, ...] = ()) -> list[Result]:
    found = [Result(name, outcome, "") for name, outcome in zip(NAMES, outcomes, strict=False)]
    return [*found, *(Result(f"other {n}", outcome, "") for n, outcome in enumerate(further))]


def test_every_combination_of_the_required_gates() -> None:
    for outcomes in itertools.product(Outcome, repeat=8):
        found = verdict(results(outcomes))
        assert (found is Outcome.PASSED) == (set(outcomes) == {Outcome.PASSED})
        assert (found is Outcome.FAILED) == (Outcome.FAILED in outcomes)


def test_a_gate_that_is_not_required_may_be_declined_and_must_not_fail() -> None:
    passed = (Outcome.PASSED,) * 8
    assert verdict(results(passed, (Outcome.DECLINED,))) is Outcome.PASSED
    assert verdict(results(passed, (Outcome.FAILED,))) is Outcome.FAILED


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_required_gate_that_is_missing_is_no_pass(count: int) -> None:
    assert verdict(results((Outcome.PASSED,) * count)) is Outcome.FAILED


def test_a_required_gate_that_is_there_twice_is_no_pass() -> None:
    whole = results((Outcome.PASSED,) * 8)
    assert verdict([*whole, whole[3]]) is Outcome.FAILED
    assert verdict([*whole[1:], whole[3]]) is Outcome.FAILED
