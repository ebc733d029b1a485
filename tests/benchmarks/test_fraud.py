"""Attempts to get a green: their list, their table, what counts as named; and one of each family."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fraud.attempt import Attempt, Ended, Played
from benchmarks.fraud.project import HONEST, run_of
from benchmarks.fraud.registry import ATTEMPTS, FAMILIES
from benchmarks.fraud.room import FraudError, Room
from benchmarks.fraud.table import Row, all_as_stated, last_line, lines, rows
from pv.codes import known_codes
from pv.outcome import EXITS
from pv.status import LADDER

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/fraud.md"
WORDS = {"gone", "stale", "note", "seed", "dirty", "own", "EXCLUDED", *LADDER, *map(str.upper, EXITS)}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return Room(tmp_path_factory.mktemp("fraud"))


def test_there_are_sixty_and_more_that_must_be_named() -> None:
    named = [attempt for attempt in ATTEMPTS.values() if not attempt.open_because]
    assert len(named) >= 60
    assert len({attempt.tried for attempt in ATTEMPTS.values()}) == len(ATTEMPTS)


def test_each_says_who_must_name_it_and_why() -> None:
    for attempt in ATTEMPTS.values():
        by = attempt.named_by
        if attempt.open_because:
            assert (by, attempt.says) == ("", "")
            continue
        assert attempt.says, attempt.tried
        assert by in WORDS or by in known_codes() or by in {"exit 1", "exit 2", "exit 3"}, by


def test_the_page_has_every_family_and_all_that_is_not_named() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for family, attempts in FAMILIES.items():
        assert f"| `{family}` |" in text
        for attempt in attempts:
            if attempt.open_because:
                assert attempt.tried in text, attempt.tried
                assert attempt.open_because in text, attempt.open_because


def row(control: Ended, tried: Ended, *, open_because: str = "") -> Row:
    played = Played(control, tried)
    return Row("rule-7", Attempt("an attempt", "FAIL", "off by", lambda _: played, open_because), played, 1.0)


GREEN = Ended(0, "PASS  a#B\n")


@pytest.mark.parametrize(
    ("control", "tried", "word"),
    [
        (GREEN, Ended(1, "FAIL  a#B\n  off by 3\n"), "named"),
        (GREEN, Ended(0, "FAIL  a#B (WAIVED)\n  off by 3\n"), "named"),
        (GREEN, GREEN, "MISSED"),
        (GREEN, Ended(1, "FAIL  a#B\n  for another reason\n"), "MISSED"),
        (GREEN, Ended(1, "VACUOUS  a#B\n  off by 3\n"), "MISSED"),
        (GREEN, Ended(1, "FAILED-TOO\n  off by 3\n"), "MISSED"),
        (GREEN, Ended(4, "error: a defect of pv, please report it:\nFAIL\noff by 3\n"), "CRASH"),
        (Ended(1, "FAIL  a#B\n  off by 3\n"), Ended(1, "FAIL  a#B\n  off by 3\n"), "ALARM"),
        (Ended(2, "error: no such option\n"), Ended(1, "FAIL  a#B\n  off by 3\n"), "ALARM"),
        (Ended(0, "FAIL  a#B\n  off by 3\n"), Ended(1, "FAIL  a#B\n  off by 3\n"), "ALARM"),
    ],
)
def test_it_is_named_by_the_word_and_for_the_reason_beside_a_green_control(
    control: Ended, tried: Ended, word: str
) -> None:
    made = row(control, tried)
    assert made.word == word
    assert all_as_stated([made]) == (word == "named")
    head, *rest = lines(made)
    assert head.split()[:3] == ["rule-7", word, "FAIL"]
    assert rest


def test_an_exit_code_is_a_word() -> None:
    assert Ended(2, "").has("exit 2")
    assert not Ended(20, "exit 2").has("exit 2")


@pytest.mark.parametrize(
    ("control", "tried", "word"),
    [
        (GREEN, GREEN, "open"),
        (GREEN, Ended(1, "FAIL"), "CLOSED"),
        (Ended(1, "FAIL"), Ended(1, "FAIL"), "ALARM"),
    ],
)
def test_what_is_not_named_must_still_be_green(control: Ended, tried: Ended, word: str) -> None:
    made = row(control, tried, open_because="It is so.")
    assert made.word == word
    assert all_as_stated([made]) == (word == "open")


def test_the_last_line_counts() -> None:
    named = row(GREEN, Ended(1, "FAIL  a#B\n  off by 3\n"))
    known = row(GREEN, GREEN, open_because="It is so.")
    assert last_line([named, known]) == "2 s\n1 of 2 named, 1 known not to be"
    assert last_line([named, row(GREEN, GREEN)]) == "2 s\n1 of 2 named, 1 NOT AS STATED"


def test_what_cannot_be_tried_is_not_named(room: Room) -> None:
    def broken(_: Room) -> Played:
        raise FraudError("nothing to try it on")

    (made,) = rows({"rule-7": Attempt("an attempt", "FAIL", "off by", broken)}, room)
    assert (made.word, made.message) == ("BROKEN", ("FraudError: nothing to try it on",))
    assert not all_as_stated([made])


def test_the_honest_project_is_green_and_can_fail(room: Room) -> None:
    assert room.control(*run_of(HONEST)).code == 0
    assert room.control("validate", "--strict", "contracts").code == 0
    project = room.project()
    project.edit("data/candidate.json", "0.124", "0.174")
    project.pin()
    assert project.pv(*run_of(HONEST)).code == 1
    with pytest.raises(ValueError, match="0 times"):
        project.edit("data/candidate.json", "0.124", "")


SAMPLE = [f"{family}-{len(them) if family == 'unnamed' else 1}" for family, them in FAMILIES.items()]
"""The first of each family; of what is not named, the one that forges."""
SAMPLE += ["change-3", "measure-9", "look-8"]  # what a gate, a discharge and a worker say of it


@pytest.mark.parametrize("name", SAMPLE)
def test_one_of_each_family_comes_out_as_stated(name: str, room: Room) -> None:
    (made,) = rows({name: ATTEMPTS[name]}, room)
    assert all_as_stated([made]), [*lines(made)]
    assert dataclasses.astuple(made)[0] == name


def tried(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.fraud", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_name_that_no_attempt_has_is_refused() -> None:
    ended = tried("rules")
    assert ended.returncode == 2
    assert "'rules' is no attempt, and none of the families status, rule," in ended.stderr


@pytest.mark.service  # half a minute and more: the engine runs checks three hundred times
def test_all_come_out_as_stated() -> None:
    ended = tried()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "NOT AS STATED" not in ended.stdout
