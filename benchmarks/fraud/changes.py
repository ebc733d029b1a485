"""Attempts between two revisions: to take away, unseen, what a claim rested on."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.fraud.attempt import Attempt, Play, Played
from benchmarks.fraud.project import CONTRACT, HONEST, Project
from benchmarks.fraud.room import Room

__all__ = ["CHANGES"]

_GATE = ("gate", "--base", "HEAD")


def _staged(change: Callable[[Project], None]) -> Play:
    """Stage `change`, and judge it as a pipeline does: beside the control, a change of words alone."""

    def play(room: Room) -> Played:
        project = room.project()
        project.write(CONTRACT, f"# Read the specification first.\n{project.text(CONTRACT)}")
        project.git("add", "--all")
        control = project.pv(*_GATE)
        project.git("reset", "--quiet", "--hard")
        change(project)
        project.git("add", "--all")
        return Played(control, project.pv(*_GATE))

    return play


def _clause_gone(project: Project) -> None:
    text = project.text(CONTRACT)
    other = text[text.index("  - id: FALSIFY") :].replace(HONEST, "FALSIFY-HONEST-002")
    project.write(CONTRACT, text[: text.index("  - id: FALSIFY")] + other)


def _contract_gone(project: Project) -> None:
    (project.root / CONTRACT).unlink()


def _not_blocking(project: Project) -> None:
    project.edit(CONTRACT, "    ship_blocking: true\n", "    ship_blocking: false\n")


def _obligation_gone(project: Project) -> None:
    project.edit(CONTRACT, "    covers: [HONEST-KEEP-001]\n", "    covers: [HONEST-KEEP-002]\n")
    project.edit(CONTRACT, "HONEST-KEEP-001\n    type", "HONEST-KEEP-002\n    type")


def _excluded(project: Project) -> None:
    text = project.text(CONTRACT)
    start, end = text.index("    check:"), text.index("    ship_blocking")
    text = text[:start] + "    excluded: it is looked at by hand\n" + text[end:]
    project.write(CONTRACT, text.replace("    discharge_status: DISCHARGED\n", ""))


def _evidence_gone(project: Project) -> None:
    for path in project.root.glob("evidence/honest-v1/*/*.json"):
        path.unlink()


def _loosened(project: Project) -> None:
    project.edit(CONTRACT, "max(error) <= 0.01", "max(error) <= 0.1")


def _waived(project: Project) -> None:
    project.write(
        "waivers.yaml",
        f"- id: {HONEST}\n  reason: known\n  approver: me\n  created: 2020-01-01\n  expires: 2999-01-01\n",
    )


CHANGES = (
    Attempt("take a falsifier out", "gone", HONEST, _staged(_clause_gone)),
    Attempt("take a contract out", "gone", "honest-v1", _staged(_contract_gone)),
    Attempt("let it block no release any more", "note", "blocks no release any more", _staged(_not_blocking)),
    Attempt(
        "take an obligation out", "note", "the obligation HONEST-KEEP-001 is gone", _staged(_obligation_gone)
    ),
    Attempt("exclude what was measured", "EXCLUDED", "DISCHARGED", _staged(_excluded)),
    Attempt("take the evidence away", "UNBOUND", "never run", _staged(_evidence_gone)),
    Attempt("loosen a threshold", "stale", "threshold max(error) 0.01", _staged(_loosened)),
)
