from __future__ import annotations

import json

import pytest

from docs.obligations import LIST, PLANTED, listed, measured
from pv.config import load_config
from pv.selection import load_all


def test_the_list_is_current() -> None:
    now = listed(load_all(load_config(LIST.parent)))
    assert json.loads(LIST.read_text(encoding="utf-8")) == now, "run: python -m docs.obligations"


def test_every_obligation_is_covered_by_what_can_be_run() -> None:
    found = measured()
    assert [name for name, covered in found["covered"].items() if not covered] == []
    assert [name for name, bound in found["bound"].items() if not bound] == []
    assert found["differing"] == 0
    assert len(found["covered"]) == len(found["bound"]) == found["obligations"] == found["listed"] > 100


@pytest.mark.parametrize(
    ("planted", "seen_by"),
    [
        ("a_falsifier_removed", {"covered", "bound", "differing"}),
        ("a_check_removed", {"bound"}),
        ("excluded_with_a_reason", {"covered", "bound", "differing"}),
        ("an_obligation_added", {"covered", "bound", "differing"}),
        ("a_contract_left_out", {"differing"}),
    ],
)
def test_a_planted_defect_is_seen(planted: str, seen_by: set[str]) -> None:
    found = measured(planted)
    seen = {name for name in ("covered", "bound") if not all(found[name].values())}
    assert seen | ({"differing"} if found["differing"] else set()) == seen_by


def test_every_defect_is_tried_above() -> None:
    marks = test_a_planted_defect_is_seen.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(PLANTED)
