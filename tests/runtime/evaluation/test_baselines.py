from __future__ import annotations

import pytest
from pv_runtime.evaluation.baselines import BASELINES
from pv_runtime.evaluation.problems import Problem


def problem(prompt: str, task: str = "T/0") -> Problem:
    return Problem(task, prompt, "f", "", "def check(c): pass")


@pytest.mark.parametrize(
    ("name", "prompt", "answer"),
    [
        ("nothing", "def f(x", ""),
        ("last word again", "def f(value", " value"),
        ("last word again", "return (", " ("),
        ("last word again", "  ", ""),
        ("0, brackets closed", "f(a[b, {", "0}])"),
        ("0, brackets closed", "f(x)[", "0]"),
        (")", "f(x", ")"),
    ],
)
def test_a_baseline_answers_without_a_model(name: str, prompt: str, answer: str) -> None:
    assert BASELINES[name](problem(prompt)) == answer


def test_random_characters_are_those_of_the_problem() -> None:
    draw = BASELINES["random characters"]
    assert draw(problem("x")) == draw(problem("y"))
    assert draw(problem("x")) != draw(problem("x", "T/1"))
    assert len(draw(problem("x"))) == 16
    assert draw(problem("x")).isascii()
