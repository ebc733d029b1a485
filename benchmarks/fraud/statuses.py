"""Attempts on a status: to type it, to hide what is measured, to answer for another falsifier."""

from __future__ import annotations

import datetime as dt

from benchmarks.fraud.attempt import Attempt, Played
from benchmarks.fraud.project import CHECK, CONTRACT, HONEST, TABLE, Project, run_of
from benchmarks.fraud.room import Room, tampered

__all__ = ["STATUSES"]

_VALIDATE = ("validate", "contracts")
_RUN = run_of(HONEST)
_CLAIM = "    discharge_status: DISCHARGED\n"


def _typed_above(room: Room) -> Played:
    project = room.project()
    (project.root / "evidence/honest-v1" / HONEST).rename(project.root / "taken-away")
    return Played(room.control(*_VALIDATE), project.pv(*_VALIDATE))


def _other_block(project: Project) -> None:
    whole = project.text(CONTRACT)
    block = "gates:\n  - id: GATE-HONEST-001\n    verdict: passed\n    discharge_status: DISCHARGED\n"
    project.write(CONTRACT, whole + "\n" + block)


def _contract_level(project: Project) -> None:
    project.edit(CONTRACT, "  kind: pattern\n", "  kind: pattern\n  discharge_status: DISCHARGED\n")


def _other_word(project: Project) -> None:
    project.edit(CONTRACT, _CLAIM, "    discharge_status: VERIFIED\n")


def _far_off(project: Project) -> None:
    """Let the claim be false, of a subject that is pinned."""
    project.edit(TABLE, "0.124", "0.174")
    project.pin()


def _excluded(project: Project) -> None:
    _far_off(project)
    project.edit(CONTRACT, _CLAIM, '    excluded: "it is looked at by hand"\n')


def _waiver(project: Project, *, identifier: str = HONEST, expires: str | None) -> None:
    _far_off(project)
    until = f"  expires: {expires}\n" if expires else ""
    project.write(
        "waivers.yaml",
        f"- id: {identifier}\n  reason: known\n  approver: somebody\n  created: 2020-01-01\n{until}",
    )


def _endless(project: Project) -> None:
    _waiver(project, expires=None)


def _expired(project: Project) -> None:
    _waiver(project, expires="2020-02-01")


def _of_another(project: Project) -> None:
    later = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
    _waiver(project, identifier="FALSIFY-TESTED-001", expires=later.isoformat())


def _of_all(project: Project) -> None:
    later = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
    _waiver(project, identifier='"FALSIFY-*"', expires=later.isoformat())


def _in_force(project: Project) -> None:
    later = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
    _waiver(project, expires=later.isoformat())


def _twin(project: Project) -> None:
    """Have the same id in another contract, where more is allowed."""
    easier = project.text(CONTRACT).replace("max(error) <= 0.01", "max(error) <= 0.4")
    project.write(
        "contracts/easier-v1.yaml", easier.replace("HONEST-KEEP", "EASIER-KEEP").replace(_CLAIM, "")
    )


def _alias(project: Project) -> None:
    """Let an easier falsifier be known by the id of the strict one."""
    _twin(project)
    text = project.text("contracts/easier-v1.yaml")
    named = text.replace(HONEST, f"FALSIFY-EASIER-001\n    aliases: [{HONEST}]")
    project.write("contracts/easier-v1.yaml", named)


def _look_alike(project: Project) -> None:
    """Write the id of the strict one with a Cyrillic letter."""
    _twin(project)
    text = project.text("contracts/easier-v1.yaml")
    project.write("contracts/easier-v1.yaml", text.replace("FALSIFY-HONEST", "FALSIFY-H\u041eNEST"))


def _crashing(project: Project) -> None:
    project.edit(CHECK, '    run.record("expected"', '    raise SystemExit(0)\n    run.record("expected"')


STATUSES = (
    Attempt("type a status without evidence", "PV-STATUS-001", "never run: no evidence", _typed_above),
    Attempt(
        "type a status in a block that nothing reads",
        "PV-DROPPED-001",
        "the block gates asserts something and is read by nothing",
        tampered(_other_block, *_VALIDATE),
    ),
    Attempt(
        "type the status of a whole contract",
        "PV-DROPPED-001",
        "metadata.discharge_status asserts something and is read by nothing",
        tampered(_contract_level, *_VALIDATE),
    ),
    Attempt(
        "claim a word of one's own",
        "PV-STATUS-003",
        "'VERIFIED' is no status",
        tampered(_other_word, *_VALIDATE),
    ),
    Attempt(
        "exclude what is measured and false",
        "PV-EXCLUDED-001",
        "although it is bound",
        tampered(_excluded, *_VALIDATE),
    ),
    Attempt("waive without an end", "WAIVER-001", "the waiver has no expires", tampered(_endless, *_RUN)),
    Attempt(
        "waive until a day that is past",
        "FAIL",
        "its waiver expired on 2020-02-01",
        tampered(_expired, *_RUN),
    ),
    Attempt(
        "waive another falsifier", "FAIL", "FAIL honest-v1#FALSIFY-HONEST-001", tampered(_of_another, *_RUN)
    ),
    Attempt(
        "waive by a pattern", "WAIVER-003", "no falsifier is called 'FALSIFY-*'", tampered(_of_all, *_RUN)
    ),
    Attempt("let a waiver stand for a pass", "FAIL", "(WAIVED until", tampered(_in_force, *_RUN)),
    Attempt("answer by the same id elsewhere", "exit 2", "is not unique", tampered(_twin, *_RUN)),
    Attempt("answer by an alias", "exit 2", "is not unique", tampered(_alias, *_RUN)),
    Attempt(
        "answer by a letter that looks alike",
        "SCHEMA-000",
        "expected an identifier of letters",
        tampered(_look_alike, *_VALIDATE),
    ),
    Attempt("end with 0 before anything is measured", "ERROR", "SystemExit", tampered(_crashing, *_RUN)),
)
