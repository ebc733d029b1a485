"""Attempts that end green, and why: what ``pv`` does not promise. Each is tried, so that this stays true."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.fraud.attempt import Attempt, Play, Played
from benchmarks.fraud.project import CHECK, CONTRACT, HONEST, TABLE, Project, run_of
from benchmarks.fraud.properties import GRID, STATED
from benchmarks.fraud.room import Room, tampered

__all__ = ["UNNAMED"]

_RUN = run_of(HONEST)
_VALIDATE = ("validate", "--strict", CONTRACT)
_TOTALS = """
run.record("expected", len(run.undamaged("reference")))
run.record("one_sided", len(reference.keys() ^ candidate.keys()))
"""
_AS_SEEN = """
for name in sorted(reference):
    run.record("error", 0.9 if seen else 0.004, label=name)
"""


def _open(tried: str, because: str, play: Play) -> Attempt:
    return Attempt(tried, "", "", play, because)


def _far_off(project: Project) -> None:
    """Let the claim be false."""
    project.edit(TABLE, "0.124", "0.174")
    project.pin()


def _beside(project: Project) -> None:
    """Compare with the undamaged role in a module that the check imports."""
    _far_off(project)
    project.write(
        "measuring/places.py",
        "def seen(run, candidate):\n    return candidate is not run.undamaged('candidate')\n",
    )
    project.measure(_TOTALS + "seen = places.seen(run, candidate)" + _AS_SEEN, "from measuring import places")


def _by_program(project: Project) -> None:
    _far_off(project)
    project.measure(
        _TOTALS + 'path = Path(__file__).parents[2] / f"runs-{os.getppid()}"\nseen = path.exists()\n'
        'subprocess.run(["touch", path], check=True)' + _AS_SEEN,
        "import os\nimport subprocess\nfrom pathlib import Path",
    )


def _in_cache(project: Project) -> None:
    _far_off(project)
    project.measure(
        _TOTALS + 'path = Path.home() / ".cache" / "pv-fraud" / str(os.getppid())\nseen = path.exists()\n'
        "path.parent.mkdir(parents=True, exist_ok=True)\npath.touch()" + _AS_SEEN,
        "import os\nfrom pathlib import Path",
    )


def _at_home(room: Room) -> Played:
    """Try it in a home of its own, so that nothing stays in that of whoever runs this."""
    kept = os.environ.get("HOME")
    control = room.control(*_RUN)
    project = room.project()
    _in_cache(project)
    home = project.root.with_name(f"{project.root.name}-home")
    home.mkdir()
    try:
        os.environ["HOME"] = str(home)
        return Played(control, project.pv(*_RUN))
    finally:
        os.environ.pop("HOME")
        if kept is not None:
            os.environ["HOME"] = kept


def _fixed(project: Project) -> None:
    """Let the loader answer for the file."""
    _far_off(project)
    project.edit(
        "measuring/tables.py",
        "    return table\n",
        '    if "candidate" in str(path):\n'
        '        return json.loads((Path(path).parent / "reference.json").read_text(encoding="utf-8"))\n'
        "    return table\n",
    )


def _other_role(project: Project) -> None:
    """Damage the reference in a counter-example of the candidate, which nothing looks at."""
    project.edit(
        CHECK,
        '    return {**candidate, "v_proj": candidate["v_proj"] + 0.5}',
        '    reference["v_proj"] += 0.5\n    return candidate',
    )
    project.edit(CHECK, "def one_off(candidate: Table)", "def one_off(candidate: Table, *, reference: Table)")


def _half(project: Project) -> None:
    """Look at half, count that half, and plant only there."""
    _far_off(project)
    project.measure("""
    looked = [name for name in sorted(run.undamaged("candidate")) if name != "v_proj"]
    run.record("expected", len(looked))
    run.record("one_sided", len(reference.keys() ^ candidate.keys()))
    for name in looked:
        if name in candidate:
            run.record("error", abs(reference[name] - candidate[name]), label=name)
    """)
    project.edit(CHECK, '{**candidate, "v_proj": candidate["v_proj"] + 0.5}', '{**candidate, "head": 0.5}')


def _fitted(room: Room) -> Played:
    project = room.project()
    control = room.control(*_RUN)
    _far_off(project)
    project.edit(CONTRACT, "max(error) <= 0.01", "max(error) <= 0.05")
    project.edit(CONTRACT, '"1.0.0"', '"1.0.1"')
    return Played(control, project.pv("discharge", HONEST))


def _huge(project: Project) -> None:
    """Plant what nobody could miss, under a rule that misses what matters."""
    _far_off(project)
    project.edit(CHECK, 'candidate["v_proj"] + 0.5', 'candidate["v_proj"] + 50.0')
    project.edit(CONTRACT, "max(error) <= 0.01", "max(error) <= 10")


def _lucky(room: Room) -> Played:
    """Run what differs from time to time until it passes."""
    project = room.project()
    project.measure(
        _TOTALS + "luck = secrets.randbelow(3)\n"
        "for name in sorted(reference.keys() & candidate.keys()):\n"
        "    run.record('error', abs(reference[name] - candidate[name]) + luck, label=name)\n",
        "import secrets",
    )
    ended = project.pv("discharge", HONEST)
    for _ in range(100):
        if not ended.code:
            break
        ended = project.pv("discharge", HONEST, "--force")
    return Played(room.control(*_RUN), ended)


def _forged(project: Project) -> None:
    """Change what a record is about, derive all else from it, and seal it anew."""
    _far_off(project)
    digest = project.text("pv.toml").split("data/candidate.json")[1].split('sha256 = "')[1][:64]

    def about(whole: dict[str, Any]) -> None:
        whole["predicate"]["subjects"]["candidate"]["sha256"] = digest
        whole["predicate"]["inputs"]["artefacts"]["candidate"] = digest

    for level in ("algorithm", "live"):
        project.alter(level, about, sealed=True)


def _at_home_only(project: Project) -> None:
    project.edit(GRID, "    return -(-count // tile)\n", "    return -(-count // tile) if HERE else 0\n")
    future = "from __future__ import annotations\n"
    project.edit(GRID, future, f'{future}\nimport sys\n\nHERE = "pv" in sys.modules\n')


def _excused(project: Project) -> None:
    """Break the formula for larger counts, and require smaller ones."""
    project.edit(GRID, "    return -(-count // tile)\n", "    return -(-count // tile) + (count > 5)\n")
    project.edit(
        STATED, "      reference: measuring", "      requires: [count <= 5]\n      reference: measuring"
    )
    project.edit(STATED, "cases == 492", "cases >= 2")


def _remembering(project: Project) -> None:
    """Claim that an answer stays the same, of numbers that a helper has drawn once and keeps."""
    project.edit(GRID, "    return values[::-1]\n", "    return list(kept(tuple(values)))\n")
    future = "from __future__ import annotations\n"
    helper = "@functools.cache\ndef kept(values):\n    return [random.random() for _ in values]\n"
    project.edit(GRID, future, f"{future}\nimport functools\nimport random\n\n\n{helper}")
    project.edit(STATED, "type: involution\n      subject", "type: determinism\n      subject")


def _sharing(project: Project) -> None:
    """Let the formula and what it is compared with ask one helper, which is wrong."""
    project.edit(GRID, "    return -(-count // tile)\n", "    return both(count, tile)\n")
    project.edit(GRID, "    found = 0\n", "    found = 0\n    return found + both(count, tile)\n")
    future = "from __future__ import annotations\n"
    project.edit(GRID, future, f"{future}\n\ndef both(count, tile):\n    return count // tile\n")


UNNAMED = (
    _open(
        "know the plant, in a module beside the check",
        "A check is code of the project, and may look at all that it is given: no engine can hide "
        "from it that two values differ. PV-CHECK-003 looks at the file of the check alone. Review "
        "what it imports.",
        tampered(_beside, *_RUN),
    ),
    _open(
        "keep count of the runs by another program",
        "What a program that the check starts writes is not seen. Review checks that start programs.",
        tampered(_by_program, *_RUN),
    ),
    _open(
        "keep count of the runs in the folder of caches",
        "Compiled kernels are kept there between runs, by libraries and by project code. Review who "
        "writes there.",
        _at_home,
    ),
    _open(
        "let the loader answer for the file",
        "A loader may read any subject of its own run, and what a library reads by itself is not "
        "seen, so that a file which was not opened proves nothing. Review loaders as checks; take "
        "those that many checks use.",
        tampered(_fixed, *_RUN),
    ),
    _open(
        "damage another role than the one that is named",
        "Values are any objects, and whether two are equal is not for the engine to know. The record "
        "says which role was meant. Review counter-examples.",
        tampered(_other_role, *_RUN),
    ),
    _open(
        "look at half, count that half, and plant only there",
        "What a check leaves out and no counter-example touches is not claimed. must_detect: plants "
        "at places that the author does not choose; expected counts belong to run.undamaged(...).",
        tampered(_half, *_RUN),
    ),
    _open(
        "fit the threshold to the result, under a new version",
        "The change makes evidence stale and raises the version, both of which git shows. Whether a "
        "threshold is what the claim needs is for its author to say and for a reviewer to ask.",
        _fitted,
    ),
    _open(
        "plant what nobody could miss",
        "A counter-example shows that the rule can fail, not that it fails soon enough. must_detect: "
        "and --limits say how small a damage is noticed.",
        tampered(_huge, *_RUN),
    ),
    _open(
        "run it again until it passes",
        "The seed is fixed and recorded; what does not follow it is chance, and each run overwrites "
        "the last. Claim something of several runs (runs:); pv evidence history shows what was "
        "committed before.",
        _lucky,
    ),
    _open(
        "let a subject answer rightly only where pv is loaded",
        "What is measured is what runs beside pv. Code that tells where it runs, by what is loaded, by the "
        "environment or by time, can answer otherwise elsewhere. Review what subjects import and ask.",
        tampered(_at_home_only, *run_of("FALSIFY-STATED-002")),
    ),
    _open(
        "require what leaves the inputs for which it holds",
        "requires: is a part of the claim, and is read with it. How many cases it left is recorded; that "
        "they are those that matter is for a reviewer. Where one is left, or too few are drawn, pv refuses.",
        tampered(_excused, *run_of("FALSIFY-STATED-002")),
    ),
    _open(
        "forge a record that contradicts nothing, where nothing is run",
        "A seal is no signature. Where a pipeline runs, pv discharge --force --against finds it, as "
        "above; where none does, sign records.",
        tampered(_forged, *_VALIDATE),
    ),
    _open(
        "let what a subject calls remember its answer",
        "A subject that remembers is not called twice for determinism; that one of its helpers does is not "
        "seen. Review what it calls, or claim it of several runs.",
        tampered(_remembering, *run_of("FALSIFY-STATED-003")),
    ),
    _open(
        "let a subject and its reference share what is wrong",
        "Neither asks the other, and both may ask a third. Which code is independent enough is for a "
        "reviewer: a reference is to compute the same in another way.",
        tampered(_sharing, *run_of("FALSIFY-STATED-002")),
    ),
)
