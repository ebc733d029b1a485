"""Attempts of a pipeline: to select nothing, to run nothing, to judge something else."""

from __future__ import annotations

import shutil

from benchmarks.fraud.attempt import Attempt, Play, Played
from benchmarks.fraud.project import CONTRACT, HONEST, TABLE, TEST, Project, run_of
from benchmarks.fraud.room import Room, tampered

__all__ = ["PIPELINES"]

_RUN = run_of(HONEST)
_STATUS = ("status", "contracts/honest-v1.yaml")


def _instead(control: tuple[str, ...], *words: str) -> Play:
    """Run other words than the control, in the honest project."""

    def play(room: Room) -> Played:
        project = room.project()
        (project.root / "nothing").mkdir()
        return Played(room.control(*control), project.pv(*words))

    return play


def _no_contracts(project: Project) -> None:
    shutil.rmtree(project.root / "contracts")
    (project.root / "contracts").mkdir()


def _all_skipped(project: Project) -> None:
    text = project.text(TEST)
    project.write(
        TEST, text.replace("def test_", 'import pytest\n\n\n@pytest.mark.skip(reason="no")\ndef test_')
    )


def _other_bytes(project: Project) -> None:
    """Put other bytes under the name of the pinned ones."""
    project.edit(TABLE, "0.124", "0.174")


def _unpinned(project: Project) -> None:
    _other_bytes(project)
    text = project.text("pv.toml")
    start = text.index('"data/candidate.json"\n') + len('"data/candidate.json"\n')
    project.write("pv.toml", text[:start] + text[text.index("loader", start) :])


def _pinned_anew(project: Project) -> None:
    _other_bytes(project)
    project.pin()


def _better_copy(room: Room) -> Played:
    """Record the run on a better file as if it were of the pinned one."""
    project = room.project()
    control = room.control(*_STATUS)
    project.edit(TABLE, "0.124", "0.174")
    project.pin()
    project.write("better.json", project.text("data/reference.json"))
    project.pv("discharge", HONEST, "--subject", "candidate=better.json")
    return Played(control, project.pv(*_STATUS))


def _swapped(project: Project) -> None:
    """Let the check exchange the file that it judges, after it was digested."""
    project.measure(
        """
    run.record("expected", len(run.undamaged("reference")))
    run.record("one_sided", len(reference.keys() ^ candidate.keys()))
    path = Path(__file__).parents[1] / "data/candidate.json"
    with path.open("w") as file:
        file.write("{}")
    for name in sorted(reference.keys() & candidate.keys()):
        run.record("error", abs(reference[name] - candidate[name]), label=name)
    """,
        "from pathlib import Path",
    )


_GATE = """
  - id: GATE-HONEST-001
    rule: The table may be published
    prediction: no number that was measured is off by more than a hundredth
    if_fails: wait for another table
    covers: [HONEST-KEEP-001]
    basis:
      worst: {falsifier: FALSIFY-HONEST-001, metric: error}
    expect: [max(worst) <= 0.01]
    counter_examples: [worst.one_off]
    discharge_status: UNBOUND
"""


def _looking_away(room: Room) -> Played:
    """Let a gate judge what a defect of its basis does not show in."""
    project = room.project()
    whole = project.text(CONTRACT)
    project.write(CONTRACT, whole + _GATE)
    control = project.pv("discharge", "GATE-HONEST-001", "--no-record")
    project.write(CONTRACT, whole + _GATE.replace("max(worst)", "min(worst)"))
    return Played(control, project.pv("discharge", "GATE-HONEST-001", "--no-record"))


def _needs_gpu(project: Project) -> None:
    project.edit(CONTRACT, "    ship_blocking", "    needs: {live: {gpu: any}}\n    ship_blocking")


def _pending(room: Room) -> Played:
    """Leave a gate at UNBOUND, so that nobody asks, although what it waits for has been shown."""
    project = room.project()
    project.write(CONTRACT, project.text(CONTRACT) + _GATE)
    project.pv("discharge", "GATE-HONEST-001")
    tried = project.pv("sync", "--check")
    project.pv("sync")
    return Played(project.pv("sync", "--check"), tried)


PIPELINES = (
    Attempt(
        "sweep a folder of nothing", "exit 2", "nothing", _instead(("sweep", "contracts"), "sweep", "nothing")
    ),
    Attempt(
        "validate a folder of nothing",
        "exit 2",
        "nothing",
        _instead(("validate", "contracts"), "validate", "nothing"),
    ),
    Attempt(
        "validate a path that is not there",
        "exit 2",
        "absent",
        _instead(("validate", "contracts"), "validate", "absent/*.yaml"),
    ),
    Attempt(
        "select what nothing is",
        "exit 2",
        "nothing",
        _instead(
            ("sweep", "--select", 'status == "DISCHARGED"'), "sweep", "--select", 'status == "FALSIFIED"'
        ),
    ),
    Attempt(
        "select by a word that is none",
        "exit 2",
        "statsu",
        _instead(
            ("sweep", "--select", 'status == "DISCHARGED"'), "sweep", "--select", 'statsu == "FALSIFIED"'
        ),
    ),
    Attempt(
        "name a falsifier that is none",
        "exit 2",
        "no falsifier",
        _instead(_RUN, *run_of("FALSIFY-HONEST-01")),
    ),
    Attempt("have no contract at all", "exit 2", "contract", tampered(_no_contracts, "sweep")),
    Attempt(
        "allow what is declined, where all of it is",
        "exit 3",
        "skipped: no",
        tampered(_all_skipped, *run_of("FALSIFY-TESTED-001", "--allow-declined")),
    ),
    Attempt(
        "ask for a level that there is not",
        "exit 3",
        "it has no functional level",
        _instead(_RUN, *run_of(HONEST, "--level", "functional")),
    ),
    Attempt(
        "judge on a processor what needs a GPU",
        "exit 3",
        "GPU",
        tampered(_needs_gpu, *run_of(HONEST, "--device", "cpu")),
    ),
    Attempt(
        "let a gate look away",
        "VACUOUS",
        "does not notice its counter-example worst.one_off",
        _looking_away,
    ),
    Attempt("leave a gate pending", "exit 1", "GATE-HONEST-001: UNBOUND to DISCHARGED", _pending),
    Attempt(
        "put other bytes under the pinned name",
        "ERROR",
        "is not the one that pv.toml pins",
        tampered(_other_bytes, *_RUN),
    ),
    Attempt("leave the pin out", "STALE", "is not pinned in pv.toml", tampered(_unpinned, *_STATUS)),
    Attempt(
        "change the pin together with the file",
        "STALE",
        "subject candidate: sha256",
        tampered(_pinned_anew, *_STATUS),
    ),
    Attempt("judge a better copy", "STALE", "subject candidate: sha256", _better_copy),
    Attempt("exchange the file after it was digested", "ERROR", "candidate", tampered(_swapped, *_RUN)),
)
