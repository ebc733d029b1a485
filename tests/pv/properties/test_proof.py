"""Proofs for all sizes: what holds is proved, what does not has a model that Python confirms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("z3", reason="needs the extra properties: z3-solver")

from pv.check import CheckError
from pv.properties.calling import resolve
from pv.properties.laws import LAWS
from pv.properties.proof import prove
from pv.properties.stated import Stated
from tests.pv.properties.test_properties import run, stated

SOURCE = """
def key_head(head, group):
    return head // group


def key_head_one_off(head, group):
    return (head + 1) // group


def tiles(count, tile):
    return -(-count // tile)


def tiles_again(count, tile):
    return (count + tile - 1) // tile


def tiles_one_more(count, tile):
    return count // tile + 1


def clip(x):
    return min(max(x, -3), 3)


def partner(i, half):
    return i + half if i < half else i - half


def place(i, columns):
    return i // columns, i % columns


def index(row, column, columns):
    return row * columns + column


def add(x, y):
    return x + y


def double(x):
    return 2 * x


def hard(a, b, c):
    return a * a * a + b * b * b - c * c * c


def checked(x):
    assert x > 0
    return x


NAME = "name"
HALF = 0.5


def named(x):
    return NAME


def halves(x):
    return HALF


def same(x):
    return x


def python_only(x):
    return sum(range(x))
"""
ANY = {"integers": [None, None]}
LEAST_1 = {"integers": [1, None]}
LEAST_0 = {"integers": [0, None]}
HEADS = {"head": {"integers": [0, "group * kv_heads - 1"]}, "group": LEAST_1, "kv_heads": LEAST_1}
HALVES = {"half": LEAST_1, "i": {"integers": [0, "2 * half - 1"]}}
PROVED: list[tuple[str, str, dict[str, Any]]] = [
    ("invariant", "key_head", {"inputs": HEADS, "ensures": ["0 <= result < kv_heads"]}),
    ("equivalence", "tiles", {"inputs": {"count": LEAST_0, "tile": LEAST_1}, "reference": "tiles_again"}),
    ("bound", "clip", {"inputs": {"x": ANY}, "low": -3, "high": 3}),
    ("monotonicity", "key_head", {"inputs": {"head": LEAST_0, "group": LEAST_1}, "along": "head"}),
    ("idempotency", "clip", {"inputs": {"x": ANY}}),
    ("linearity", "double", {"inputs": {"x": ANY}}),
    ("symmetry", "add", {"inputs": {"x": ANY, "y": ANY}}),
    ("associativity", "add", {"inputs": {"x": ANY, "y": ANY}, "along": "x", "other": "y"}),
    ("involution", "partner", {"inputs": HALVES, "along": "i"}),
    ("roundtrip", "place", {"inputs": {"i": ANY, "columns": LEAST_1}, "along": "i", "inverse": "index"}),
]  # fmt: skip


@pytest.fixture
def subjects(module: Callable[[str], ModuleType]) -> str:
    return module(SOURCE).__name__


def of(name: str, kind: str, subject: str, **keys: Any) -> Stated:
    return stated(name, kind, subject, prove=True, **keys)


def test_every_type_that_can_be_proved_is() -> None:
    assert {kind for kind, _, _ in PROVED} == {kind for kind, law in LAWS.items() if law.provable}


@pytest.mark.parametrize(("kind", "subject", "keys"), PROVED)
def test_what_holds_for_all_sizes_is_proved(
    kind: str, subject: str, keys: dict[str, Any], subjects: str, tmp_path: Path
) -> None:
    found = run(of(subjects, kind, subject, **keys), tmp_path)
    assert (found["proved"], found["violations"], found["witness"]) == (1, 0, "none")
    assert int(found["cases"]) >= 100


def test_a_planted_off_by_one_has_a_counter_model(subjects: str, tmp_path: Path) -> None:
    heads = of(subjects, "invariant", "key_head", inputs=HEADS, ensures=["0 <= result < kv_heads"])
    proof = prove(heads, resolve(heads), "off_by_one")
    assert proof.outcome == "refuted"
    assert proof.model == {"group": 1, "head": 0, "kv_heads": 1}
    found = run(heads, tmp_path, "off_by_one")
    assert found["proved"] == 0
    assert found["witness"] == "group=1, head=0, kv_heads=1: 0 <= result < kv_heads is false, result is 1"


def test_a_subject_that_is_one_off_is_refuted(subjects: str, tmp_path: Path) -> None:
    heads = of(subjects, "invariant", "key_head_one_off", inputs=HEADS, ensures=["0 <= result < kv_heads"])
    found = run(heads, tmp_path)
    assert found["proved"] == 0
    assert "head=0, group=1" in str(found["witness"]) or "group=1, head=0" in str(found["witness"])
    inputs = {"count": LEAST_0, "tile": LEAST_1}
    more = of(subjects, "equivalence", "tiles_one_more", inputs=inputs, reference="tiles")
    assert run(more, tmp_path)["witness"] == "count=0, tile=1: 1 is not 0"


def test_what_is_not_decided_is_an_error_and_no_proof(subjects: str) -> None:
    inputs = dict.fromkeys("abc", LEAST_1)
    fermat = of(subjects, "invariant", "hard", inputs=inputs, ensures=["result != 0"])
    assert prove(fermat, resolve(fermat), effort=200_000).outcome == "unknown"


def test_an_assertion_of_the_subject_has_to_follow_from_what_is_required(
    subjects: str, tmp_path: Path
) -> None:
    free = of(subjects, "invariant", "checked", inputs={"x": ANY}, ensures=["result == x"])
    assert str(run(free, tmp_path)["witness"]).startswith("x=0: raised AssertionError")
    bound = of(
        subjects, "invariant", "checked", inputs={"x": ANY}, ensures=["result == x"], requires=["x > 3"]
    )
    assert run(bound, tmp_path)["proved"] == 1


def test_what_cannot_be_translated_is_refused(subjects: str, tmp_path: Path) -> None:
    loop = of(subjects, "bound", "python_only", inputs={"x": {"integers": [0, 50]}}, low=0)
    with pytest.raises(CheckError, match="cannot be proved of"):
        run(loop, tmp_path)


def test_a_mutant_that_is_no_function_is_refused(subjects: str) -> None:
    heads = of(subjects, "invariant", "key_head", inputs=HEADS, ensures=["result >= 0"])
    with pytest.raises(CheckError, match="cannot be proved of"):
        prove(heads, resolve(heads), "nondeterministic")


def test_a_proof_of_what_hardly_any_input_is_allowed_is_an_error(subjects: str, tmp_path: Path) -> None:
    few = of(subjects, "bound", "double", inputs={"x": LEAST_0}, high=4, requires=["x < 3"])
    assert prove(few, resolve(few)).outcome == "proved"
    with pytest.raises(CheckError, match="fewer than 100 were left"):
        run(few, tmp_path)


@pytest.mark.parametrize("subject", ["named", "halves"])
def test_what_is_no_integer_is_not_compared(subject: str, subjects: str) -> None:
    both = of(subjects, "idempotency", subject, inputs={"x": ANY})
    with pytest.raises(CheckError, match="which is no integer"):
        prove(both, resolve(both))


@pytest.mark.parametrize(
    ("limits", "holds"),
    [
        # The float beside 10**23 is 8388608 below it.
        ({"inputs": {"x": {"integers": [10**23, 10**23]}}, "high": 1e23}, False),
        ({"inputs": {"x": {"integers": [0, 10**23 - 8388608]}}, "high": 1e23}, True),
        ({"inputs": {"x": {"integers": [1, None]}}, "low": 0.5}, True),
        ({"inputs": {"x": {"integers": [0, None]}}, "low": 0.5}, False),
    ],
)
def test_a_limit_that_is_a_float_is_compared_exactly(
    limits: dict[str, Any], holds: bool, subjects: str, tmp_path: Path
) -> None:
    found = run(of(subjects, "bound", "same", **limits), tmp_path)
    assert (found["proved"], int(found["violations"]) == 0) == (int(holds), holds)


def test_no_parameter_of_the_solver_is_the_projects(subjects: str) -> None:
    import z3

    tiling = of(subjects, "bound", "clip", inputs={"x": ANY}, low=-3, high=3)
    z3.set_param("smt.arith.nl", False)
    try:
        assert prove(tiling, resolve(tiling)).outcome == "proved"
        assert z3.get_param("smt.arith.nl") == "true"
    finally:
        z3.reset_params()
