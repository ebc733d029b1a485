"""Every way to tamper is named for what it is, and nothing is said of evidence that nobody touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.trust.tamper import CASES, Case, Row, rows, table
from pv.signatures.reasons import Reason


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    return {row.what: row for row in rows(tmp_path_factory.mktemp("tamper"))}


def test_nothing_is_said_of_what_nobody_touched(found: dict[str, Row]) -> None:
    assert found["nothing"].said == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_it_is_named_for_what_it_is(case: Case, found: dict[str, Row]) -> None:
    row = found[case.what]
    assert row.named, f"expected {row.expected!r}; said {row.said}"


def test_there_are_many_ways_and_most_have_a_sentence_of_their_own(found: dict[str, Row]) -> None:
    assert len(found) == len(CASES) + 1 > 80
    assert len({(case.name, case.reason, case.says) for case in CASES}) > 70
    # These need no tampering, but time: tests/pv/signatures/test_trust.py lets it pass.
    untried = {Reason.KEY_EXPIRED, Reason.RULE_EXPIRED, Reason.TOO_OLD}
    assert {case.reason for case in CASES} >= {reason.value for reason in Reason if reason not in untried}


def test_a_case_that_is_not_named_is_seen(tmp_path: Path) -> None:
    harmless = Case("nothing is done", "x", "unsigned", "no envelope", lambda _: None)
    *_, last = rows(tmp_path, [harmless])
    assert not last.named
    assert table([last]) == ["MISSED  nothing is done\n          nothing"]
