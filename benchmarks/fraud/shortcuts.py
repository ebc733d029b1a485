"""Attempts of what is beside a run: baselines, mends, memories, and words that somebody else wrote."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.fraud.attempt import Attempt, Ended, Play, Played
from benchmarks.fraud.project import CONTRACT, HONEST, Project
from benchmarks.fraud.properties import STATED
from benchmarks.fraud.room import Room, tampered
from pv.result_cache.entry import Entry
from pv.result_cache.key import key_of
from pv.result_cache.store import keep
from pv.start import main as start

__all__ = ["SHORTCUTS"]

Change = Callable[[Project], None]
_VALIDATE = ("validate", "contracts")
_STATUS = ("status", STATED)
_BOUND = """    property:
      type: equivalence
      subject: measuring.grid:tiles
      reference: measuring.grid:counted
      inputs:
        count: {integers: [0, 40]}
        tile: {integers: [1, 12]}
    expect:
      - violations == 0 and cases == 492
      - exhaustive == 1
"""
_METRIC = "      - {name: worst, pointer: /worst, low: 0.0}"


def _nothing_ran(project: Project) -> None:
    """Take away what shows that the claims hold."""
    shutil.rmtree(project.root / "evidence")


def _twice(project: Project) -> None:
    """Let the second of two keys of one name be the one that is read."""
    project.write(CONTRACT, project.text(CONTRACT) + "falsification_tests: []\n")


def _tightened(project: Project) -> None:
    project.edit(CONTRACT, "max(error) <= 0.01", "max(error) <= 0.001")


def _slipped(project: Project) -> None:
    """Write the status under a slip of its key, which --fix corrects."""
    _nothing_ran(project)
    project.edit(CONTRACT, "discharge_status: DISCHARGED", "discharge_statos: DISCHARGED")


def _known(change: Change, *, typed: bool = False) -> Play:
    """Validate with a baseline that was written when the tree was as it is, or was typed."""

    def play(room: Room) -> Played:
        project = room.project()
        change(project)
        project.pv(*_VALIDATE, "--baseline", "known.json", "--write-baseline")
        if typed:
            entry = {
                "contract": CONTRACT,
                "clause": HONEST,
                "code": "PV-STATUS-001",
                "message": "",
                "digest": "",
            }
            project.write("known.json", json.dumps({"format": 1, "findings": [entry]}))
        return Played(room.control(*_VALIDATE), project.pv(*_VALIDATE, "--baseline", "known.json"))

    return play


def _then(first: tuple[str, ...], change: Change, *words: str) -> Play:
    """Run a command that mends contracts after `change`, and look what is said then."""

    def play(room: Room) -> Played:
        project = room.project()
        change(project)
        project.pv(*first)
        return Played(room.control(*words), project.pv(*words))

    return play


@contextlib.contextmanager
def _home(folder: Path) -> Iterator[None]:
    """Let the user's home be `folder`, as in a container that has the repository there."""
    before, words = dict(os.environ), sys.argv
    for name in ("XDG_CACHE_HOME", "CI", "PV_NO_CACHE"):
        os.environ.pop(name, None)
    os.environ["HOME"] = str(folder)
    sys.argv = ["pv", *_VALIDATE]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        sys.argv = words


def _remembered(room: Room) -> Played:
    """Ship a result with the repository: that all contracts were found valid."""
    project = room.project()
    _nothing_ran(project)
    out = io.StringIO()
    with _home(project.root), contextlib.chdir(project.root):
        entry = Entry(0, [("stdout", "4 contracts are valid.\n")], [])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            keep(str(project.root / ".cache/pv/results"), key_of(_VALIDATE), entry)
            code = start()
    return Played(room.control(*_VALIDATE), Ended(code, out.getvalue()))


def _exhaustive(project: Project) -> None:
    """Call the contract one of a kernel, and an obligation exhaustive of which examples are drawn."""
    project.edit(STATED, "kind: pattern", "kind: kernel")
    text = project.text(STATED)
    start, end = text.index("  - id: FALSIFY-STATED-001"), text.index("  - id: FALSIFY-STATED-003")
    text = text[:start] + text[end:]
    start, end = text.index("  - id: STATED-COVER-001"), text.index("  - id: STATED-SWAP-001")
    text = text[:start] + text[end:]
    text = text.replace(
        "To swap twice changes nothing\n\nfals", "To swap twice changes nothing\n    exhaustive: true\n\nfals"
    )
    project.write(STATED, text.replace("    ship_blocking", "    counter_examples: []\n    ship_blocking"))


def _said(addition: str, old: str = "") -> Play:
    """Take the check away, and let somebody else's words stand for it."""

    def change(project: Project) -> None:
        project.edit(STATED, _BOUND, "")
        if old:
            project.edit(STATED, old, old + addition)
        else:
            project.write("contracts/binding.yaml", addition)

    return tampered(change, *_STATUS)


def _fast(name: str) -> Play:
    """Demand a speed that no machine has, and bring the machine that has it."""

    def play(room: Room) -> Played:
        project = room.project()
        contract = "contracts/commanded-v1.yaml"
        rate = "      - {name: decode, pointer: /worst, low: 0.0, unit: tokens/s}"
        project.edit(contract, _METRIC, f"{_METRIC}\n{rate}")
        project.edit(contract, "[worst <= 0.01]", "[worst <= 0.01, decode >= 1000000]")
        machine = f'name = "{name}"\nbandwidth = "90000 TB/s"\npeaks = {{fp32 = "900000 TFLOP/s"}}\n'
        project.write("mine.toml", f'{machine}source = "wishes"\n')
        tried = project.pv("roofline", "--params", "7e9", "--hardware", "mine.toml", "contracts")
        return Played(room.control(*_VALIDATE), tried)

    return play


_LEAN = "    lean: {theorem: Grid.counted, module: Grid, status: proved}\n"
_REGISTRY = """version: "1.0.0"
target_crate: grid
bindings:
- {contract: stated-v1.yaml, equation: tiles, module_path: grid, function: tiles, status: implemented}
"""

SHORTCUTS = (
    Attempt(
        "put a false status on the list of what is known",
        "PV-STATUS-001",
        "evidence supports UNBOUND",
        _known(_nothing_ran),
    ),
    Attempt(
        "type a false status into the list of what is known",
        "exit 2",
        "PV-STATUS-001 makes verdicts false, and is never known",
        _known(_nothing_ran, typed=True),
    ),
    Attempt(
        "put a file that cannot be read on the list of what is known",
        "YAML-002",
        "the key 'falsification_tests' occurs twice",
        _known(_twice),
    ),
    Attempt(
        "let --fix mend what no evidence supports",
        "PV-STATUS-001",
        "evidence supports UNBOUND",
        tampered(_nothing_ran, *_VALIDATE, "--fix"),
    ),
    Attempt(
        "let --fix correct a slip into a status",
        "PV-STATUS-001",
        "FALSIFY-HONEST-001 claims DISCHARGED, evidence supports UNBOUND",
        tampered(_slipped, *_VALIDATE, "--fix"),
    ),
    Attempt(
        "let pv migrate write anew what went stale",
        "STALE",
        "threshold max(error) 0.01",
        _then(("migrate", "contracts"), _tightened, "status", CONTRACT),
    ),
    Attempt(
        "ship a remembered result with the repository",
        "PV-STATUS-001",
        "evidence supports UNBOUND",
        _remembered,
    ),
    Attempt(
        "type that a check is exhaustive",
        "PROVABILITY-001",
        "the kernel has no kani_harnesses",
        tampered(_exhaustive, *_VALIDATE),
    ),
    Attempt(
        "type that a proof in Lean is complete",
        "UNBOUND",
        "FALSIFY-STATED-002 UNBOUND",
        _said(_LEAN, "    property: The formula gives what counting gives\n"),
    ),
    Attempt(
        "type into a registry that it is implemented",
        "UNBOUND",
        "FALSIFY-STATED-002 UNBOUND",
        _said(_REGISTRY),
    ),
    Attempt(
        "describe a machine of the table with other numbers",
        "exit 2",
        "which is a machine of the table",
        _fast("h200"),
    ),
    Attempt("describe a machine that is as fast as is claimed", "own", "one's own: wishes", _fast("mine")),
)
