"""Every type of obligation, on a subject that keeps it and on one that does not; and its counter-examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic_core import SchemaValidator

from pv.check import CheckError, Run, Value
from pv.properties.complete import completed, tried_whole
from pv.properties.domains import MOST, every, in_order
from pv.properties.laws import LAWS, mutants_of
from pv.properties.measure import measure
from pv.properties.metrics import METRICS
from pv.properties.mutants import MUTANTS, mutated
from pv.properties.stated import PropertyError, Stated, read
from pv.schema_property import PROPERTY, TYPES

SUBJECTS = """
import numpy


def double(x):
    return 2 * x


def affine(x):
    return 2 * x + 1


def affine_again(x):
    return x + x + 1


def clip(x):
    return min(max(x, -3), 3)


def step(x):
    return x + 1 if x < 3 else x


def flipped(i):
    return 7 - i


def halved(i):
    return i // 2


def add(x, y):
    return x + y


def subtract(x, y):
    return x - y


def softmax(x):
    shares = numpy.exp(x - x.max())
    return shares / shares.sum()


def unshifted(x):
    return numpy.exp(x) / 10


def rolled(x):
    return numpy.roll(x, 1)


def shortened(x):
    return x[1:]


def split(i, columns):
    return i // columns, i % columns


def join(row, column, columns):
    return row * columns + column


def join_wrong(row, column, columns):
    return row * columns + column + (row > 1)


def group(heads, kv_heads):
    if heads % kv_heads:
        raise ValueError("no whole number")
    return heads // kv_heads


CALLS = []


def counting(x):
    CALLS.append(x)
    return x + len(CALLS)
"""
INTEGER = {"x": {"integers": [-20, 20]}}
FEW = {"x": {"integers": [-6, 6]}}
"""Where the law draws another value and two factors besides: all are tried, together."""
WIDE = {"x": {"integers": [None, None]}}
PAIR = {"x": {"integers": [-9, 9]}, "y": {"integers": [-9, 9]}}
ARRAY = {"x": {"floats": [-5, 5], "shape": [4]}}
GRID = {"i": {"integers": [0, 40]}, "columns": {"integers": [1, 6]}}

EXAMPLES: list[tuple[str, dict[str, Any], str, str]] = [
    ("invariant", {"inputs": INTEGER, "ensures": ["-3 <= result <= 3"]}, "clip", "double"),
    (
        "invariant",
        {"inputs": {**ARRAY, "c": {"floats": [1, 3]}}, "under": {"x": "x + c"}, "tolerance": 1e-9,
         "counter_examples": ["identity", "argument_added"]},
        "softmax",
        "unshifted",
    ),
    ("equivalence", {"inputs": INTEGER, "reference": "affine_again"}, "affine", "double"),
    ("bound", {"inputs": INTEGER, "low": -3, "high": 3}, "clip", "double"),
    ("monotonicity", {"inputs": WIDE}, "double", "halved_back"),
    ("idempotency", {"inputs": INTEGER}, "clip", "step"),
    ("linearity", {"inputs": FEW}, "double", "affine"),
    ("symmetry", {"inputs": PAIR}, "add", "subtract"),
    ("associativity", {"inputs": PAIR, "along": "x", "other": "y"}, "add", "subtract"),
    ("involution", {"inputs": {"i": {"integers": [0, 7]}}}, "flipped", "halved"),
    ("conservation", {"inputs": ARRAY, "conserves": "sum(value)", "tolerance": 1e-9}, "rolled", "shortened"),
    ("ordering", {"inputs": ARRAY}, "softmax", "rolled"),
    ("determinism", {"inputs": INTEGER}, "double", "counting"),
    ("roundtrip", {"inputs": GRID, "along": "i", "inverse": "join"}, "split", "split"),
]  # fmt: skip


class Recorder:
    """What a run records, kept."""

    def __init__(self, scratch: str, seed: int = 0) -> None:
        self.seed, self.device, self.level = seed, "cpu", "live"
        self.found: dict[str, Value] = {}
        self._scratch = scratch

    def record(self, name: str, value: Value, *, label: str | None = None) -> None:  # noqa: ARG002
        assert name in {metric.name for metric in METRICS}
        assert name not in self.found
        self.found[name] = value

    def role(self, name: str, value: Any) -> Any:
        raise NotImplementedError

    def undamaged(self, name: str) -> Any:
        raise NotImplementedError

    def progress(self, items: Iterable[Any], *_: Any, **__: Any) -> Iterator[Any]:
        yield from items

    def scratch(self) -> str:
        return self._scratch


@pytest.fixture
def subjects(module: Callable[[str], ModuleType]) -> str:
    source = SUBJECTS + "\n\ndef halved_back(x):\n    return x if x % 4 else -x\n"
    return module(source).__name__


def stated(name: str, kind: str, subject: str, **keys: Any) -> Stated:
    keys.pop("counter_examples", None)
    for key in ("reference", "inverse"):
        if key in keys:
            keys[key] = f"{name}:{keys[key]}"
    value = {"type": kind, "subject": f"{name}:{subject}", **keys}
    return completed(read(SchemaValidator(PROPERTY).validate_python(value, strict=True)))


def run(of: Stated, folder: Path, plant: str | None = None) -> dict[str, Value]:
    recorder = Recorder(str(folder))
    typed: Run = recorder
    measure(typed, of, plant)
    assert set(recorder.found) == {metric.name for metric in METRICS}
    return recorder.found


def test_the_types_are_those_that_have_a_law_and_an_example() -> None:
    assert set(TYPES) == set(LAWS) == {kind for kind, _, _, _ in EXAMPLES}


@pytest.mark.parametrize(("kind", "keys", "keeps", "breaks"), EXAMPLES)
def test_a_type_holds_of_one_subject_and_not_of_another(
    kind: str, keys: dict[str, Any], keeps: str, breaks: str, subjects: str, tmp_path: Path
) -> None:
    found = run(stated(subjects, kind, keeps, **keys), tmp_path)
    assert (found["violations"], found["witness"]) == (0, "none")
    assert int(found["cases"]) >= 8
    broken = {**keys, "inverse": "join_wrong"} if kind == "roundtrip" else keys
    wrong = run(stated(subjects, kind, breaks, **broken), tmp_path)
    assert int(wrong["violations"]) >= 1
    assert float(wrong["worst"]) > 0
    assert "=" in str(wrong["witness"])


@pytest.mark.parametrize(("kind", "keys", "keeps"), [example[:3] for example in EXAMPLES])
def test_every_counter_example_of_a_type_is_noticed(
    kind: str, keys: dict[str, Any], keeps: str, subjects: str, tmp_path: Path
) -> None:
    of = stated(subjects, kind, keeps, **keys)
    for plant in keys.get("counter_examples", mutants_of(of)):
        found = run(of, tmp_path, plant)
        assert int(found["violations"]) >= 1, plant
        assert int(found["cases"]) >= 8, plant


def test_a_finite_domain_is_tried_whole_and_said_to_be(subjects: str, tmp_path: Path) -> None:
    keys = {"inputs": {"heads": {"integers": [1, 64]}, "kv_heads": {"integers": [1, 8]}}}
    of = stated(
        subjects, "invariant", "group", requires=["heads % kv_heads == 0"],
        ensures=["result * kv_heads == heads"], **keys,
    )  # fmt: skip
    found = run(of, tmp_path)
    every_case = [1 for heads in range(1, 65) for kv in range(1, 9) if heads % kv == 0]
    assert found.pop("cases") == len(every_case)
    assert found == {"violations": 0, "worst": 0.0, "exhaustive": 1, "proved": 0, "witness": "none"}


def test_what_the_subject_raises_is_a_violation_and_of_a_mutant_none(subjects: str, tmp_path: Path) -> None:
    keys = {"inputs": {"heads": {"integers": [1, 4]}, "kv_heads": {"integers": [1, 4]}}}
    of = stated(subjects, "invariant", "group", ensures=["result >= 1"], **keys)
    found = run(of, tmp_path)
    assert found["violations"] == 8
    assert found["witness"] == "heads=1, kv_heads=2: raised ValueError: no whole number"
    planted = run(of, tmp_path, "off_by_one")
    assert (planted["violations"], planted["cases"]) == (0, 16)


def test_the_witness_is_the_smallest_that_is_found(subjects: str, tmp_path: Path) -> None:
    inputs = {"x": {"integers": [0, None]}}
    of = stated(subjects, "bound", "double", inputs=inputs, high=1000)
    assert run(of, tmp_path)["witness"] == "x=501: 1002 is above 1000"


def test_what_is_drawn_is_the_same_for_a_seed(subjects: str, tmp_path: Path) -> None:
    of = stated(subjects, "bound", "softmax", inputs=ARRAY, high=0.9, low=0)
    assert run(of, tmp_path) == run(of, tmp_path)


def test_no_case_is_no_result(subjects: str, tmp_path: Path) -> None:
    for inputs in (INTEGER, WIDE):
        of = stated(subjects, "bound", "double", inputs=inputs, high=3, requires=["x != x"])
        with pytest.raises(CheckError, match="no case"):
            run(of, tmp_path)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"inputs": {"z": {"integers": [0, 1]}}, "low": 0}, "cannot be called"),
        ({"inputs": {**INTEGER, "idle": {"integers": [0, 1]}}, "low": 0}, "no parameter idle"),
        ({"inputs": INTEGER, "low": "1 // x"}, "ZeroDivisionError"),
        ({"inputs": {**INTEGER, "n": {"equals": "1 % x"}}, "low": "-n - 100"}, "ZeroDivisionError"),
    ],
)
def test_a_clause_that_does_not_fit_its_subject_is_an_error(
    keys: dict[str, Any], why: str, subjects: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckError, match=why):
        run(stated(subjects, "bound", "double", **keys), tmp_path)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"type": "roundtrip", "inputs": INTEGER}, "needs inverse"),
        ({"type": "bound", "inputs": INTEGER}, "needs one of low, high"),
        ({"type": "involution", "inputs": PAIR}, "needs along"),
        ({"type": "bound", "inputs": INTEGER, "low": 0, "conserves": "sum(value)"}, "no use for conserves"),
        ({"type": "bound", "inputs": INTEGER, "low": "y + 1"}, "names y"),
        ({"type": "invariant", "inputs": INTEGER, "ensures": ["__import__('os')"]}, "functions are"),
        ({"type": "invariant", "inputs": INTEGER, "ensures": ["result.real > 0"]}, "Attribute"),
        ({"type": "invariant", "inputs": INTEGER, "ensures": ["result >"]}, "no expression"),
        ({"type": "involution", "inputs": {"x": {"integers": [3, 1]}}}, "above"),
        (
            {"type": "involution", "inputs": {"x": {"integers": [1, 3], "choices": [1]}}},
            "integers and choices",
        ),
        ({"type": "involution", "inputs": {"x": {}}}, "says nothing"),
        ({"type": "bound", "low": 0, "inputs": {"x": {"equals": "y"}, "y": {"equals": "x"}}}, "depends on"),
        ({"type": "ordering", "inputs": INTEGER, "prove": True}, "cannot be proved"),
        ({"type": "involution", "inputs": {"x": {"floats": [0, 1]}}, "prove": True}, "only integers"),
        ({"type": "involution", "inputs": INTEGER, "prove": True, "tolerance": 1}, "no tolerance"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(keys: dict[str, Any], why: str) -> None:
    value = {"subject": "m:f", **keys}
    with pytest.raises(PropertyError, match=why):
        completed(read(SchemaValidator(PROPERTY).validate_python(value, strict=True)))


def test_whether_all_are_tried_follows_from_the_domain() -> None:
    def whole(inputs: dict[str, Any], kind: str = "bound", **keys: Any) -> bool:
        return tried_whole(stated("m", kind, "f", inputs=inputs, **keys))

    assert whole({"x": {"integers": [1, MOST]}}, low=0)
    assert not whole({"x": {"integers": [0, MOST]}}, low=0)
    assert not whole({"x": {"integers": [0, None]}}, low=0)
    assert not whole({"x": {"integers": [0, 1], "shape": [1]}}, low=0)
    assert whole({"n": {"integers": [0, 300]}, "x": {"integers": [1, "n"]}}, low=0)
    assert not whole({"n": {"integers": [0, 600]}, "x": {"integers": [1, "n"]}}, low=0)
    assert not whole({"n": {"integers": [0, 3]}, "x": {"integers": [0, "5 // n"]}}, low=0)
    # The law draws a second value besides.
    assert not whole({"x": {"integers": [1, 1000]}}, "monotonicity")
    # What is equal may compute otherwise, and is not taken for what was counted before.
    for choice, known in ((1, True), (1.0, False), (1, True), (1.0, False)):
        inputs = {"n": {"choices": [choice]}, "x": {"integers": [0, "n"]}}
        assert whole(inputs, low=0) == known


def test_dependent_inputs_come_after_what_they_depend_on() -> None:
    of = stated("m", "bound", "f", low=0, inputs={"a": {"integers": [0, "b"]}, "b": {"choices": [1, 2]}})
    assert in_order(of.inputs) == ["b", "a"]
    chosen = [(case["b"], case["a"]) for case in every(of.inputs)]
    assert chosen == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]


@pytest.mark.parametrize(
    ("name", "result", "wanted"),
    [
        ("off_by_one", 3, 4),
        ("off_by_one", (3, [4]), (4, [5])),
        ("off_by_one", True, False),
        ("off_by_one", b"ab", b"`c"),
        ("sign_flipped", 3, -3),
        ("scaled", 3, 6),
        ("constant", 3, 0),
        ("constant", "text", ""),
        ("one_element_changed", [3, 4], [4, 4]),
        ("argument_added", 3, 13),
        ("identity", 3, 10),
    ],
)
def test_a_mutant_does_what_it_is_called(name: str, result: Any, wanted: Any) -> None:
    assert mutated(name, lambda **_: result, "x", "y")(x=10, y=20) == wanted


def test_mutants_of_arguments_and_of_time() -> None:
    swapped = mutated("arguments_swapped", lambda x, y: (x, y), "x", "y")
    assert swapped(x=1, y=2) == (2, 1)
    changing = mutated("nondeterministic", lambda x: x, "x", "")
    assert [changing(x=1) for _ in range(4)] == [1, 2, 1, 2]


@pytest.mark.parametrize("name", ["sign_flipped", "scaled", "argument_added"])
def test_a_mutant_without_a_meaning_is_an_error(name: str) -> None:
    with pytest.raises(CheckError, match="no meaning"):
        mutated(name, lambda **_: "text", "x", "y")(x=1, y=2)


def test_every_default_mutant_is_known() -> None:
    assert {name for law in LAWS.values() for name in law.mutants} <= set(MUTANTS)


def test_a_proof_is_asked_of_no_mutant_that_is_no_function() -> None:
    drawn = stated("m", "linearity", "double", inputs={"x": {"integers": [0, None]}})
    proved = stated("m", "linearity", "double", inputs={"x": {"integers": [0, None]}}, prove=True)
    assert mutants_of(drawn) == ("nondeterministic", "off_by_one")
    assert mutants_of(proved) == ("off_by_one",)
