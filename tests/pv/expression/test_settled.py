from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from pv.check import Metric
from pv.expression import Series, parse
from pv.expression.settled import failed_already
from pv.verdict import passes

METRICS = {
    metric.name: metric
    for metric in (
        Metric("error", low=0),
        Metric("drift", low=0, slack=0.25),
        Metric("cosine", low=-1, high=1),
        Metric("n", kind="count"),
        Metric("expected", kind="count"),
        Metric("word", kind="text"),
    )
}


def series(**values: list[Any]) -> dict[str, Series]:
    return {name: Series(tuple(listed)) for name, listed in values.items()}


def failed(text: str, **values: list[Any]) -> bool:
    return failed_already([parse(text).root], series(**values), METRICS)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("max(error) <= 1", {"error": [0.5, 1.5]}),
        ("1 >= max(error)", {"error": [1.5]}),
        ("count(error) == expected and max(error) <= 1", {"error": [1.5]}),
        ("min(cosine) >= 0.999", {"cosine": [1.0, 0.5]}),
        ("sum(n) == 0", {"n": [0, 1]}),
        ("sum(error) < 1", {"error": [0.5, 0.5]}),
        ("count(n) <= 2", {"n": [0, 0, 0]}),
        ("count(n) == expected", {"n": [0, 0], "expected": [1]}),
        ("expected == 3", {"expected": [4]}),
        ("first(cosine) > 0", {"cosine": [0.0]}),
        ("all(error <= 0.5)", {"error": [0.1, 0.9]}),
        ('all(word == "interpreter")', {"word": ["interpreter", "gpu"]}),
        ("max(error) <= 1 or sum(n) == 0", {"error": [2.0], "n": [1]}),
        ("max(error) + max(n) < 3", {"error": [1.0], "n": [2]}),
        ("max(abs(cosine)) < 0.5", {"cosine": [-0.75]}),
    ],
)
def test_what_no_later_sample_can_mend_has_failed(text: str, values: dict[str, list[Any]]) -> None:
    assert failed(text, **values)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("count(error) == expected", {"error": [0.0], "expected": [2]}),  # the other may come
        ("max(error) >= 1", {"error": [0.5]}),
        ("mean(error) <= 1", {"error": [5.0]}),
        ("last(error) <= 1", {"error": [5.0]}),
        ("sum(cosine) <= 1", {"cosine": [1.0, 1.0]}),  # a negative one may follow
        ("sum(drift) <= 1", {"drift": [1.125]}),  # slack admits a negative one
        ("max(error) <= 1", {}),
        ("max(error) <= 1 or sum(n) == 0", {"error": [2.0]}),
        ("any(error <= 1)", {"error": [5.0]}),
        ("not max(error) > 1", {"error": [0.5]}),
        ("max(error / cosine) <= 1", {"error": [5.0], "cosine": [1.0]}),  # quotients are compared rounded
        (
            "all(error <= cosine)",
            {"error": [0.5, 0.75], "cosine": [0.0]},
        ),  # which belong together is not known
        ("max(error) <= 1", {"error": [float("nan"), 2.0]}),
    ],
)
def test_what_a_later_sample_can_mend_has_not(text: str, values: dict[str, list[Any]]) -> None:
    assert not failed(text, **values)


def test_of_a_negation_it_says_what_holds_of_the_whole() -> None:
    assert failed("not max(error) > 1", error=[2.0])


OPERANDS = st.sampled_from(
    [
        f"{how}({what})"
        for how in ("max", "min", "sum", "mean", "first", "last", "count")
        for what in ("error", "cosine", "n")
    ]
    + ["expected", "max(error) - min(cosine)", "max(abs(cosine))", "sum(error * n)"]
)
COMPARISONS = st.builds(
    lambda left, symbol, right: f"{left} {symbol} {right}",
    OPERANDS,
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    OPERANDS | st.sampled_from(["0", "1", "0.5"]),
)
TRUTHS = COMPARISONS | st.sampled_from(["all(error <= 0.5)", "any(cosine > 0)", "all(n == 1 or cosine > 0)"])
LINES = TRUTHS | st.builds(
    lambda one, joint, other, negated: f"{'not ' if negated else ''}({one} {joint} {other})",
    TRUTHS,
    st.sampled_from(["and", "or"]),
    TRUTHS,
    st.booleans(),
)
SAMPLES: dict[str, st.SearchStrategy[Any]] = {
    "error": st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]),
    "cosine": st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]),
    "n": st.integers(0, 2),
    "expected": st.integers(0, 3),
}


@given(
    LINES,
    st.lists(
        st.sampled_from(sorted(SAMPLES)).flatmap(lambda name: st.tuples(st.just(name), SAMPLES[name])),
        max_size=9,
    ),
    st.integers(0, 9),
)
def test_once_it_has_failed_it_never_passes(line: str, recorded: list[tuple[str, Any]], known: int) -> None:
    def first(number: int) -> dict[str, Series]:
        names = dict.fromkeys(name for name, _ in recorded[:number])
        return {name: Series(tuple(v for n, v in recorded[:number] if n == name)) for name in names}

    early = failed_already([parse(line).root], first(known), METRICS)
    event(f"failed early: {early}")
    if early:
        assert not any(passes([line], first(number), METRICS) for number in range(known, len(recorded) + 1))
