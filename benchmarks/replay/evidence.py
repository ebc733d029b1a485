"""Defects of evidence: records of something else, of nothing, or of no number."""

from __future__ import annotations

from benchmarks.replay.claims import discharge
from benchmarks.replay.defect import Defect, Played
from benchmarks.replay.project import CONTRACT, FIGURES, MEASURED, TESTED
from benchmarks.replay.stack import Stack

__all__ = ["EVIDENCE"]

_UNCLAIMED = "    ship_blocking: true\n"


def _another_artefact(stack: Stack) -> Played:
    project = stack.project("replaced")
    project.edit(CONTRACT, _UNCLAIMED, f"{_UNCLAIMED}    discharge_status: DISCHARGED\n")
    discharge(project, MEASURED)
    figures = (project.root / FIGURES).read_text(encoding="utf-8")
    project.figures(figures)  # the same bytes, written anew
    control = project.validated("PV-STATUS-002")
    project.figures(figures.replace("0.99991", "0.99992"))
    return Played(control, project.validated("PV-STATUS-002"))


def _not_a_number(stack: Stack) -> Played:
    project = stack.project("nan")
    control = project.discharged(MEASURED)
    project.edit(FIGURES, "0.99979", "nan")
    project.pin()
    return Played(control, project.discharged(MEASURED))


def _empty_series(stack: Stack) -> Played:
    project = stack.project("empty")
    control = project.discharged(MEASURED)
    project.figures("")
    return Played(control, project.discharged(MEASURED))


def _no_test_ran(stack: Stack) -> Played:
    project = stack.project("skipped")
    # As leniently as a pipeline may ask: what was declined fails nothing where something passed.
    control = project.discharged(TESTED, "--allow-declined", outcome="DECLINED")
    project.edit(
        "tests/test_cosines.py",
        "def test_every",
        'import pytest\n\n\n@pytest.mark.skip(reason="needs the model")\ndef test_every',
    )
    return Played(control, project.discharged(TESTED, "--allow-declined", outcome="DECLINED"))


EVIDENCE: dict[int, Defect] = {
    20: Defect(
        "evidence of another artefact under the same path",
        "Two files lay under one path, before and after a stamp; of five claims of one release two rest on "
        "the one and three on the other.",
        "PV-STATUS-002",
        _another_artefact,
    ),
    21: Defect(
        "a NaN verdict",
        "A cosine that is no number is not below a floor, and was not above it either.",
        MEASURED,
        _not_a_number,
    ),
    22: Defect(
        "an empty series",
        "Nothing was compared, and nothing of it was below the floor.",
        MEASURED,
        _empty_series,
    ),
    25: Defect(
        "a pipeline that ran no test",
        "Tests that were ignored, empty or never started were counted: of 3,573 ticks 86 were left.",
        TESTED,
        _no_test_ran,
    ),
}
