"""Defects of contracts: what is written down is not what was shown."""

from __future__ import annotations

from benchmarks.replay.defect import Defect, Played, Said
from benchmarks.replay.project import CONTRACT, GATE, MEASURED, Project
from benchmarks.replay.stack import ReplayError, Stack

__all__ = ["CLAIMS"]

_SYNC = "pv sync --check"
_REFERENCE = "small_checks/cosines.py::"
_UNCLAIMED = "    ship_blocking: true\n"


def _dangling_reference(stack: Stack) -> Played:
    project = stack.project("dangling")
    control = project.validated("PV-REF-001")
    project.edit(CONTRACT, f"{_REFERENCE}cosines", f"{_REFERENCE}THIS_TEST_DOES_NOT_EXIST")
    return Played(control, project.validated("PV-REF-001"))


def _typed_status(stack: Stack) -> Played:
    project = stack.project("typed")
    project.edit(CONTRACT, _UNCLAIMED, f"{_UNCLAIMED}    discharge_status: DISCHARGED\n")
    planted = project.validated("PV-STATUS-001")
    discharge(project, MEASURED)
    return Played(project.validated("PV-STATUS-001"), planted)


def _pending_gate(stack: Stack) -> Played:
    project = stack.project("pending")
    discharge(project, MEASURED, GATE)
    planted = _out_of_step(project)
    project.pv("sync")
    return Played(_out_of_step(project), planted)


def _out_of_step(project: Project) -> Said:
    ended = project.pv("sync", "--check", GATE)
    stays = ended.code == 1 and f"{GATE}: UNBOUND to DISCHARGED" in ended.out
    return Said((_SYNC,) if stays else (), ended.lines)


def discharge(project: Project, *falsifiers: str) -> None:
    """Discharge falsifiers, and record the evidence.

    Raises
    ------
    ReplayError
        One did not pass.
    """
    ended = project.pv("discharge", *falsifiers)
    if ended.code:
        raise ReplayError(f"the small project does not pass as it is: {' '.join(ended.lines)}")


CLAIMS: dict[int, Defect] = {
    18: Defect(
        "a dangling test reference",
        "85 of 105 cited tests did not exist, and every gate that cited them was green.",
        "PV-REF-001",
        _dangling_reference,
    ),
    19: Defect(
        "a typed status",
        "DISCHARGED was a word in the file, and the test of it looked whether the file had the word.",
        "PV-STATUS-001",
        _typed_status,
    ),
    24: Defect(
        "a gate left pending after its falsifier was discharged",
        "A gate of training speed stayed pending for days after its own falsifier had been discharged.",
        _SYNC,
        _pending_gate,
    ),
}
