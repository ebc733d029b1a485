from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.contract import Contract, ShapeError, load_contract
from pv.kaizen import STATUSES, Movement, is_cost, movements, pair, quantity, record
from pv.rules import judge

METADATA = {"version": "1.0.0", "description": "x", "references": ["y"], "kind": "kaizen"}
RECORD: dict[str, Any] = {
    "contract": "C-SMALL-001",
    "title": "a buffer that is made once",
    "kaizen": 61,
    "parent": None,
    "status": "implemented",
    "date": "2026-03-04",
    "baseline": {"alloc_per_step": 3},
    "target": {"alloc_per_step": 0},
    "invariants": ["the buffer is never moved"],
}


def contract(folder: Path, **blocks: Any) -> Contract:
    path = folder / "a-v1.yaml"
    whole = {"metadata": METADATA} | RECORD | blocks
    path.write_text(
        json.dumps({key: value for key, value in whole.items() if value != "-"}), encoding="utf-8"
    )
    return load_contract(path)


def codes(folder: Path, **blocks: Any) -> list[str]:
    return sorted(finding.code for finding in judge(contract(folder, **blocks)))


def test_a_record_is_read_and_kept(tmp_path: Path) -> None:
    kept = record(contract(tmp_path))
    assert kept is not None
    assert {key: kept[key] for key in RECORD} == RECORD
    assert codes(tmp_path) == []
    assert record(contract(tmp_path, metadata=METADATA | {"kind": "pattern"})) is None


@pytest.mark.parametrize("status", [*STATUSES, " planned "])
def test_every_status_is_taken(tmp_path: Path, status: str) -> None:
    assert codes(tmp_path, status=status) == []


@pytest.mark.parametrize("key", ["contract", "title", "parent", "status"])
def test_what_is_no_text_is_misshapen_in_a_record_and_nowhere_else(tmp_path: Path, key: str) -> None:
    with pytest.raises(ShapeError, match=f"{key}: expected text, found a list"):
        contract(tmp_path, **{key: ["a"]})
    assert contract(tmp_path, metadata=METADATA | {"kind": "pattern"}, **{key: ["a"]})


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ({"contract": "-", "status": None}, ["KAIZEN-001", "KAIZEN-002"]),
        ({"baseline": "-", "target": "-", "invariants": {}}, ["KAIZEN-003"]),
        ({"baseline": "-", "target": "-"}, []),
        ({"baseline": "-"}, ["KAIZEN-004"]),
        ({"target": "less"}, ["KAIZEN-004"]),
        ({"target": {"other": 1}}, ["KAIZEN-004", "KAIZEN-005"]),
        ({"target": {"alloc_per_step": 3}}, ["KAIZEN-005"]),
        ({"target": {"alloc_per_step": 4}}, ["KAIZEN-006"]),
        # One cost may be paid for another, and what is no cost may rise.
        ({"baseline": {"a_ms": 5, "b_bytes": 1}, "target": {"a_ms": 4, "b_bytes": 9}}, []),
        ({"baseline": {"clipped": False, "copies": 0}, "target": {"clipped": True, "copies": 9}}, []),
        ({"baseline": {"before": {"x_us": 9}, "after": {"x_us": 1}}, "target": "-"}, []),
        ({"baseline": {"before": {"x_us": 1}, "after": {"x_us": 9}}, "target": "-"}, ["KAIZEN-006"]),
    ],
)
def test_what_is_said_of_a_record(tmp_path: Path, blocks: dict[str, Any], expected: list[str]) -> None:
    assert codes(tmp_path, **blocks) == expected


def test_a_falsifier_is_a_claim(tmp_path: Path) -> None:
    falsifier = {"id": "F-1", "rule": "r", "prediction": "p", "if_fails": "f"}
    bare = {"baseline": "-", "target": "-", "invariants": "-"}
    assert codes(tmp_path, **bare) == ["KAIZEN-003"]
    assert codes(tmp_path, **bare, falsification_tests=[falsifier]) == []


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (9, 9), (0.5, 0.5), ("40.34", 40.34), ("<5", 5), ("<= 12", 12), ("1000+", 1000), ("100%", 100),
        ("6 ms", 6), ("1_310_720", 1310720), ("-3", -3), ("~2x", 2), (".5 KiB", 0.5), ("5.", 5),
        (True, None), (None, None), ([1], None), ("", None), ("-", None), ("2026-03-04", None),
        ("fp32", None), ("CUBLAS_COMPUTE_32F", None), ("131,072x fewer", None), ("6 minutes", None),
        ("1" * 400, None), ("1.2.3", None), ("\u0663", None),
    ],
)  # fmt: skip
def test_what_is_a_quantity(value: Any, number: float | None) -> None:
    assert quantity(value) == number


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.sampled_from(["", " ms", "%", "GB"]))
def test_a_number_is_the_same_as_text(number: float, unit: str) -> None:
    assert quantity(f"{number:.60f}{unit}") == pytest.approx(number, rel=1e-12)


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers()),
    st.dictionaries(st.sampled_from("bcd"), st.integers()),
)
def test_movements_are_of_what_both_sides_have(before: dict[str, int], after: dict[str, int]) -> None:
    found = movements({"baseline": before, "target": after})
    assert found == [Movement(name, before[name], after[name]) for name in before if name in after]
    assert pair({"baseline": before}) is None
    assert movements({"target": after}) is None


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("heap_allocs", True),
        ("Sync_points", True),
        ("forward_us", True),
        ("batch_size", False),
        ("rate", False),
    ],
)
def test_which_metrics_are_costs(name: str, cost: bool) -> None:
    assert is_cost(name) == cost
