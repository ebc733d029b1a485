from __future__ import annotations

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pv.check import Metric, Value
from pv.expression.implication import implies
from pv.expression.parse import parse
from pv.expression.syntax import Node
from pv.expression.values import Series
from pv.verdict import passes

METRICS = {name: Metric(name) for name in "ab"} | {"t": Metric("t", kind="text")}
THRESHOLDS = (-1, 0, 1, 2, 0.5)
TEXTS = ("x", "y", "z")


def read(*lines: str) -> list[Node]:
    return [parse(line).root for line in lines]


@pytest.mark.parametrize(
    ("premise", "conclusion"),
    [
        ("min(a) >= 0.999", "min(a) >= 0.99"),
        ("min(a) > 0.99", "min(a) >= 0.99"),
        ("0.9 <= min(a)", "min(a) >= 0.9"),
        ("all(a <= 0.1)", "max(a) <= 0.1"),
        ("all(a < 0.1)", "max(a) < 0.1"),
        ("max(a) < 0.1", "all(a < 0.1)"),
        ("max(a) <= 0.1", "mean(a) <= 0.2"),
        ("max(a) <= 0.1", "p95(a) <= 0.1"),
        ("0 <= a <= 1", "a <= 2"),
        ("count(a) > 3", "count(a) >= 4"),
        ("count(a) == 5", "count(a) >= 5"),
        ("min(a) >= 1 and max(b) <= 1", "max(b) <= 1"),
        ("max(a) <= 1 and min(b) == 1", "(max(a) <= 2 or min(b) == 1)"),
        ("max(a) <= 1 or min(b) == 1", "max(a) <= 2 or min(b) == 1"),
        ("t in {'x', 'y'}", "t in {'x', 'y', 'z'}"),
        ("t == 'x'", "t in {'x', 'z'}"),
        ("t not in {'x', 'y'}", "t not in {'x'}"),
        ("sum(a) / count(a) <= 0.5", "sum(a) / count(a) <= 0.6"),
        ("all(a == b)", "all(b == b) and all(a == b)"),
    ],
)
def test_what_follows(premise: str, conclusion: str) -> None:
    assert implies(read(premise), read(conclusion))


@pytest.mark.parametrize(
    ("premise", "conclusion", "why"),
    [
        ("min(a) >= 0.99", "min(a) >= 0.999", "it asks for more"),
        ("min(a) >= 0.99", "min(a) > 0.99", "the threshold itself passes one of them"),
        ("max(a) <= 0.1", "max(b) <= 0.1", "another metric, which may not have been measured"),
        ("count(a) == 1", "min(a) >= -1e300 or min(a) < 5", "a sample is needed, not only its count"),
        ("max(a) <= 1 or max(b) <= 1", "max(a) <= 1", "one of two"),
        (
            "max(a) <= 1 and max(b) <= 1",
            "max(a) / max(b) <= 1 or max(a) <= 1",
            "a division may have no value",
        ),
        ("max(a) <= 1 and min(b) > 0", "max(a) <= 1 or log(min(b)) > 0", "a logarithm may have none"),
        ("max(a) <= 1", "a <= 1", "several samples are no value"),
        ("all(a <= 1) and all(b <= 1)", "all(a + b <= 2)", "there may be more of one than of the other"),
        ("t in {'x', 'y', 'z'}", "t in {'x'}", "more values"),
        ("min(a) > 2 and max(a) < 1", "max(a) == 7", "of what cannot be, nothing is said"),
    ],
)
def test_what_does_not_follow(premise: str, conclusion: str, why: str) -> None:
    assert not implies(read(premise), read(conclusion)), why


@st.composite
def operands(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from("ab"))
    wrapped = st.sampled_from(("min({})", "max({})", "mean({})", "sum({})", "count({})", "first({})", "{}"))
    operand = draw(wrapped).format(name)
    around = st.sampled_from(("{}", "{}", "{}", "-{}", "abs({})", "{} + 1", "2 * {}", "1 / {}", "log({})"))
    return draw(around).format(operand)


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    symbol = draw(st.sampled_from(("<", "<=", ">", ">=", "==", "!=")))
    threshold = draw(st.sampled_from(THRESHOLDS))
    shape = draw(st.integers(0, 6))
    if shape == 0:
        values = draw(st.sets(st.sampled_from(TEXTS), min_size=1))
        return f"t {draw(st.sampled_from(('in', 'not in')))} {{{', '.join(map(repr, sorted(values)))}}}"
    if shape == 1:
        name = draw(st.sampled_from("ab"))
        return f"{draw(st.sampled_from(('any', 'all')))}({name} {symbol} {threshold})"
    if shape == 2:
        return f"{threshold} {symbol} {draw(operands())}"
    if shape == 3:
        return f"{draw(operands())} {symbol} {draw(operands())}"
    return f"{draw(operands())} {symbol} {threshold}"


LINES = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) or ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) and ({two[1]})"),
        inner.map(lambda one: f"not ({one})"),
    ),
    max_leaves=3,
)
SAMPLES = st.lists(st.sampled_from((-2.0, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0)), max_size=3)


@st.composite
def rules(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Return two rules that share lines, so that one often follows from the other."""
    before = draw(st.lists(LINES, min_size=1, max_size=2))
    others = {line: f"({line}) or ({draw(LINES)})" for line in before}
    after = [draw(st.sampled_from((line, others[line], draw(LINES)))) for line in before]
    return before, after


@settings(max_examples=100, deadline=None)
@given(rules(), st.lists(st.tuples(SAMPLES, SAMPLES, st.sampled_from(TEXTS)), min_size=4, max_size=12))
def test_whatever_satisfies_the_premises_satisfies_what_follows_from_them(
    rule: tuple[list[str], list[str]], measured: list[tuple[list[float], list[float], str]]
) -> None:
    before, after = rule
    follows = implies(read(*before), read(*after))
    event(f"follows: {follows}")
    if follows:
        for a, b, text in measured:
            values: dict[str, tuple[Value, ...]] = {"a": tuple(a), "b": tuple(b), "t": (text,)}
            series = {name: Series(samples) for name, samples in values.items()}
            if passes(before, series, METRICS):
                assert passes(after, series, METRICS), (before, after, values)


@given(st.lists(LINES, min_size=1, max_size=3))
def test_every_rule_follows_from_itself_and_from_more(lines: list[str]) -> None:
    assert implies(read(*lines), read(*lines))
    assert implies(read(*lines), read(*lines[:1]))
