from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pv.evidence_choice import Agreement, Candidate, Chooser, candidate_of
from pv.evidence_transfer import carry, check
from pv.record_facts import facts_of

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def recorded(project: Project, level: str = "live") -> Candidate:
    carried = carry(project.record(level))
    return candidate_of(carried.name, facts_of(check(carried, project.root / "evidence"), carried.digest))


def test_what_was_recorded_just_now_is_fresh(discharged: Project) -> None:
    chooser = Chooser(discharged.config())
    for level in ("algorithm", "live"):
        candidate = recorded(discharged, level)
        assert chooser.rank(candidate)[0] is Agreement.FRESH
        assert not chooser.foreign(candidate)


def test_the_pinned_bytes_count_and_the_words_beside_the_claim_do_not(copied: Project) -> None:
    candidate = recorded(copied)
    copied.contract(ship_blocking=False, covers=["X"])
    assert Chooser(copied.config()).rank(candidate)[0] is Agreement.FRESH
    (copied.root / "data" / "shipped.txt").write_text("1.0\n2.0\n3.0\n", encoding="utf-8")
    copied.pin()
    assert Chooser(copied.config()).rank(candidate)[0] is Agreement.SAME_CLAUSE
    copied.contract(prediction="something else")
    assert Chooser(copied.config()).rank(candidate)[0] is Agreement.OTHER_CLAUSE


def test_of_a_claim_without_a_check_only_the_clause_counts(copied: Project) -> None:
    candidate = recorded(copied)
    copied.contract(check=None, expect=None, counter_examples=None, subjects=None)
    assert Chooser(copied.config()).rank(candidate)[0] is Agreement.OTHER_CLAUSE
    assert not Chooser(copied.config()).foreign(candidate)


def test_what_no_contract_has_is_foreign(discharged: Project) -> None:
    chooser = Chooser(discharged.config())
    other = dataclasses.replace(recorded(discharged), contract="other-v1")
    assert chooser.foreign(other)
    assert chooser.rank(other)[0] is Agreement.OTHER_CLAUSE
