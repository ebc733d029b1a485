"""Greens that are not earned, by what a subject returns or does: each is a violation or an error by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pv.check import CheckError
from pv.properties.evaluate import evaluate
from pv.properties.stated import PropertyError
from tests.pv.properties.misbehaving_subjects import SUBJECTS
from tests.pv.properties.test_properties import run, stated

SMALL = {"x": {"integers": [0, 40]}}
MODES = {**SMALL, "mode": {"integers": [0, 1]}}
ARRAY = {"x": {"floats": [-5, 5], "shape": [4]}}
LISTS = {"x": {"integers": [-9, 9], "shape": [3], "as": "list"}}


@pytest.fixture
def subjects(module: Callable[[str], ModuleType]) -> str:
    return module(SUBJECTS).__name__


@pytest.mark.parametrize(
    ("kind", "subject", "keys"),
    [
        # What a result says of itself.
        ("involution", "halved", {"inputs": SMALL}),
        ("invariant", "halved", {"inputs": SMALL, "ensures": ["result == x"]}),
        ("bound", "halved", {"inputs": SMALL, "high": 0}),
        ("equivalence", "numpy_liar", {"inputs": SMALL, "reference": "own"}),
        ("monotonicity", "listed_liar", {"inputs": SMALL}),
        # Memory that two results share.
        ("determinism", "shared_counting", {"inputs": ARRAY}),
        ("monotonicity", "shared_negative", {"inputs": {"x": {"integers": [0, 9], "shape": [1]}}}),
        ("invariant", "shared", {"inputs": ARRAY, "under": {"x": "x + 1"}}),
        ("equivalence", "to_room", {"inputs": ARRAY, "reference": "other_to_room"}),
        ("involution", "in_place", {"inputs": ARRAY}),
        # NaN.
        ("monotonicity", "nan_of", {"inputs": MODES, "along": "x"}),
        ("idempotency", "nan_of", {"inputs": MODES, "along": "x"}),
        ("linearity", "nan_of", {"inputs": MODES, "along": "x"}),
        ("symmetry", "nan_of_two", {"inputs": {**MODES, "y": SMALL["x"]}, "along": "x", "other": "y"}),
        ("associativity", "nan_of_two", {"inputs": {**MODES, "y": SMALL["x"]}, "along": "x", "other": "y"}),
        ("bound", "nan_of", {"inputs": MODES, "high": 40}),
        ("equivalence", "nan_row", {"inputs": ARRAY, "reference": "own"}),
        ("involution", "nan_row", {"inputs": ARRAY}),
        ("conservation", "nan_row", {"inputs": ARRAY, "conserves": "sum(value)"}),
        ("ordering", "nan_row", {"inputs": ARRAY}),
        ("roundtrip", "inside", {"inputs": SMALL, "inverse": "own"}),
        ("invariant", "nan_of", {"inputs": MODES, "under": {"x": "x + 0 * mode"}}),
        ("invariant", "inside", {"inputs": SMALL, "ensures": ["not result > 3"]}),
        ("invariant", "inside", {"inputs": SMALL, "ensures": ["result != 4"]}),
        ("invariant", "inside", {"inputs": SMALL, "ensures": ["result or x == 0"]}),
        ("invariant", "inside", {"inputs": SMALL, "ensures": ["result + 1"]}),
        ("invariant", "nan_listed", {"inputs": SMALL, "ensures": ["max(result) <= 5"]}),
        # Numbers that are rounded to one, shapes that are spread, infinities that allow all.
        ("invariant", "disguised", {"inputs": SMALL, "ensures": ["result == x"]}),
        ("equivalence", "ints", {"inputs": {"x": {"integers": [0, 1]}}, "reference": "floats"}),
        ("bound", "ints", {"inputs": {"x": {"integers": [0, 1]}}, "high": 2.0**53}),
        ("involution", "rounded", {"inputs": {"x": {"integers": [2**53 + 1, 2**53 + 9]}}}),
        ("involution", "big", {"inputs": {"x": {"integers": [2**53, 2**60], "shape": [2]}}}),
        ("bound", "big", {"inputs": {"x": {"integers": [2**53, 2**53], "shape": [2]}}, "high": "x - 1"}),
        ("monotonicity", "wide", {"inputs": SMALL}),
        ("equivalence", "far", {"inputs": SMALL, "reference": "infinite", "tolerance": {"relative": 1e-9}}),
        # What would end the engine's own loop.
        ("idempotency", "exits", {"inputs": SMALL}),
        ("bound", "assumes", {"inputs": {"x": {"integers": [0, None]}}, "low": -10, "high": 0}),
    ],
)
def test_what_does_not_hold_is_a_violation_however_it_is_returned(
    kind: str, subject: str, keys: dict[str, Any], subjects: str, tmp_path: Path
) -> None:
    found = run(stated(subjects, kind, subject, **keys), tmp_path)
    assert int(found["violations"]) >= 1
    assert found["witness"] != "none"
    assert float(found["worst"]) > 0


@pytest.mark.parametrize(
    ("kind", "subject", "keys", "why"),
    [
        ("equivalence", "yes", {"inputs": SMALL, "reference": "own"}, "a Yes, which is not compared"),
        ("determinism", "yes", {"inputs": SMALL}, "a Yes, which is not compared"),
        ("determinism", "objects", {"inputs": SMALL}, "array of objects"),
        ("equivalence", "double", {"inputs": SMALL, "reference": "twice"}, "under another name"),
        ("equivalence", "double", {"inputs": SMALL, "reference": "double_renamed"}, "under another name"),
        ("equivalence", "kept", {"inputs": SMALL, "reference": "double"}, "under another name"),
        ("equivalence", "double", {"inputs": SMALL, "reference": "delegated"}, "no answer of its own"),
        ("equivalence", "kept", {"inputs": SMALL, "reference": "delegated_kept"}, "no answer of its own"),
        (
            "equivalence",
            "wrapped",
            {"inputs": SMALL, "reference": "delegated_wrapped"},
            "reference calls",
        ),
        ("equivalence", "part", {"inputs": SMALL, "reference": "delegated_part"}, "reference calls"),
        (
            "equivalence",
            "doubling",
            {"inputs": SMALL, "reference": "delegated_object"},
            "reference calls",
        ),
        ("equivalence", "delegated", {"inputs": SMALL, "reference": "double"}, "subject calls the reference"),
        ("determinism", "drawn_once", {"inputs": SMALL}, "a second call computes nothing"),
        ("determinism", "again", {"inputs": SMALL}, "a second call computes nothing"),
        ("invariant", "one_less", {"inputs": SMALL, "ensures": ["all(result - x >= 0)"]}, "not fit in uint8"),
        ("invariant", "one_less_scalar", {"inputs": SMALL, "ensures": ["result - x >= 0"]}, "OverflowError"),
        ("involution", "own", {"inputs": {"x": {"floats": [1, 1], "shape": [4]}}}, "one case was drawn"),
        ("involution", "own", {"inputs": {"x": {"floats": [-9, 9], "shape": [0]}}}, "one case was drawn"),
        ("involution", "own", {"inputs": SMALL, "requires": ["x == 7"]}, "one case: requires refuses 40"),
        (
            "involution",
            "own",
            {"inputs": {"x": {"integers": [0, None]}}, "requires": ["x * x < 40"]},
            "refuse most",
        ),
        (
            "involution",
            "own",
            {
                "inputs": {"x": {"integers": [0, None]}, "n": {"integers": ["x * x", "x"]}},
                "along": "x",
                "requires": ["n >= 0"],
            },
            "refuse most",
        ),
        (
            "involution",
            "own",
            {"inputs": {"x": {"integers": [0, 300], "shape": [2], "dtype": "int8"}}},
            "int8 has not all of 0 to 300",
        ),
    ],
)
def test_what_cannot_be_judged_is_an_error(
    kind: str, subject: str, keys: dict[str, Any], why: str, subjects: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckError, match=why):
        run(stated(subjects, kind, subject, **keys), tmp_path)


def test_a_list_is_not_scaled_by_repeating_it(subjects: str, tmp_path: Path) -> None:
    with pytest.raises(PropertyError, match="no sum and no multiple"):
        stated(subjects, "linearity", "squares", inputs=LISTS)
    with pytest.raises(CheckError, match="no sum and no multiple"):
        run(stated(subjects, "linearity", "squares", inputs=ARRAY), tmp_path)


@pytest.mark.parametrize(
    ("kind", "keys", "why"),
    [
        ("involution", {"inputs": ARRAY, "examples": 1}, "too few"),
        ("equivalence", {"inputs": SMALL, "reference": "own"}, "is the subject itself"),
        ("equivalence", {"inputs": SMALL, "reference": "far", "tolerance": {"relative": 1}}, "allows zero"),
        ("involution", {"inputs": {"x": {"integers": [0, 300], "dtype": "int8"}}}, "dtype: has no use"),
        ("involution", {"inputs": {"x": {"integers": [0, 3], "as": "torch"}}}, "as: has no use"),
        ("invariant", {"inputs": SMALL, "under": {"x": " x "}}, "changes nothing"),
        ("involution", {"inputs": {"x": {"choices": [0, 1, 0]}}}, "stands twice"),
    ],
)
def test_what_is_true_of_all_or_of_too_few_is_refused(kind: str, keys: dict[str, Any], why: str) -> None:
    with pytest.raises(PropertyError, match=why):
        stated("m", kind, "own", **keys)


def test_choices_of_two_types_are_two() -> None:
    assert stated("m", "involution", "own", inputs={"x": {"choices": [0, False, 0.0]}})


@pytest.mark.parametrize(("one", "other"), [("double", "same_sum"), ("wrapped", "wrapped_sum")])
def test_a_reference_of_its_own_may_work_alike(one: str, other: str, subjects: str, tmp_path: Path) -> None:
    found = run(stated(subjects, "equivalence", one, inputs=SMALL, reference=other), tmp_path)
    assert (found["violations"], found["cases"]) == (0, 41)


def test_what_is_raised_is_above_any_limit(subjects: str, tmp_path: Path) -> None:
    found = run(stated(subjects, "bound", "raising", inputs=SMALL, high=40), tmp_path)
    assert (found["worst"], found["violations"]) == (float("inf"), 35)


def test_no_profile_of_the_project_says_how_many_are_drawn(subjects: str, tmp_path: Path) -> None:
    import hypothesis
    from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS

    before = hypothesis.settings.default
    AVAILABLE_PROVIDERS["theirs"] = "nowhere.Theirs"
    hypothesis.settings.register_profile("theirs", max_examples=1, backend="theirs")
    hypothesis.settings.load_profile("theirs")
    try:
        found = run(stated(subjects, "determinism", "own", inputs=ARRAY), tmp_path)
    finally:
        hypothesis.settings.register_profile("before", before)
        hypothesis.settings.load_profile("before")
        del AVAILABLE_PROVIDERS["theirs"]
    assert 100 < int(found["cases"]) <= 200


def test_what_is_drawn_twice_is_one_case(subjects: str, tmp_path: Path) -> None:
    inputs = {"x": {"integers": [0, 1], "shape": [3]}}
    assert run(stated(subjects, "involution", "own", inputs=inputs), tmp_path)["cases"] == 8


@pytest.mark.parametrize(
    ("text", "bits", "numbers"),
    [
        ("all(a - 1 >= 0)", "uint8", [0, 3]),
        ("all(-a >= 0)", "uint8", [1]),
        ("all(a * a >= 0)", "int64", [2**40]),
        ("all(abs(a) >= 0)", "int8", [-128]),
        ("sum(a) < 0", "int64", [2**62, 2**62]),
        ("all(a % 0 == 0)", "int64", [4]),
        ("all((a > 0) + (a > 1) == 1)", "int64", [2]),
    ],
)
def test_whole_numbers_of_some_width_are_not_computed_with_where_they_have_not_enough(
    text: str, bits: str, numbers: list[int]
) -> None:
    numpy = pytest.importorskip("numpy")
    with pytest.raises(ArithmeticError):
        evaluate(text, {"a": numpy.array(numbers, dtype=bits)})
    small = numpy.array([2, 3], dtype=bits)
    assert (evaluate("a * a - a + abs(a) // 2 % 3", {"a": small}) == [3, 7]).all()
    assert evaluate("sum(a)", {"a": small}) == 5
    assert (evaluate("a + 0.5", {"a": small}) == [2.5, 3.5]).all()


def test_a_number_that_torch_would_cut_is_not_compared() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(OverflowError, match="not fit in int8"):
        evaluate("a < 300", {"a": torch.tensor([100], dtype=torch.int8)})
    assert (evaluate("abs(a) < 100", {"a": torch.tensor([-1, 3])})).all()
