"""Attempts on a record: parts of it edited after they were sealed, or taken from elsewhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

from benchmarks.fraud.attempt import Attempt, Play, Played
from benchmarks.fraud.project import CHECK, CONTRACT, HONEST, TABLE, Project, run_of
from benchmarks.fraud.room import Room, tampered
from pv.evidence import statement

__all__ = ["RECORDS"]

_STATUS = ("status", "contracts/honest-v1.yaml")
_VERIFY = ("evidence", "verify", "contracts/honest-v1.yaml")
_ALTERED = "was altered after it was sealed"


def _edited(change: Callable[[dict[str, Any]], None], level: str = "live") -> Play:
    return tampered(lambda project: project.alter(level, change), *_VERIFY)


def _numbers(whole: dict[str, Any]) -> None:
    whole["predicate"]["measurements"]["error"]["values"] = [0.0] * 6


def _verdict(whole: dict[str, Any]) -> None:
    whole["predicate"]["verdict"]["closest"]["relative"] = 1.0


def _caught(whole: dict[str, Any]) -> None:
    whole["predicate"]["counter_examples"]["one_off"]["caught"] = False


def _seed(whole: dict[str, Any]) -> None:
    whole["predicate"]["run"]["seed"] = 3


def _older(whole: dict[str, Any]) -> None:
    whole["predicate"]["schema_version"] = 1


def _far_off(project: Project) -> None:
    project.edit(TABLE, "0.124", "0.174")
    project.pin()


def _failed(project: Project) -> None:
    """Let the claim be false, and be recorded so."""
    _far_off(project)
    project.pv("discharge", HONEST)


def _turned(project: Project) -> None:
    """Write Pass over the Fail of a record that was sealed."""
    _failed(project)
    project.alter("algorithm", lambda whole: whole["predicate"]["verdict"].update(outcome="Pass"))


def _resealed(project: Project) -> None:
    """Write Pass over a Fail, and seal it anew, but leave what was measured."""
    _failed(project)
    project.alter(
        "algorithm", lambda whole: whole["predicate"]["verdict"].update(outcome="Pass"), sealed=True
    )


def _plant_turned(whole: dict[str, Any]) -> None:
    plant = whole["predicate"]["counter_examples"]["one_off"]
    plant["measurements"] = whole["predicate"]["measurements"]


def _twice(project: Project) -> None:
    """Let a record say two things under one key: readers differ in which they believe."""
    path = project.record("live")
    path.write_text(
        path.read_text(encoding="utf-8").replace(
            '"outcome": "Pass"', '"outcome": "Fail", "outcome": "Pass"', 1
        )
    )


def _renamed(project: Project) -> None:
    """Pass the record of the stand-in off as that of what ships."""
    path = project.record("live")
    (path.parent / path.name.replace("live", "functional")).write_bytes(path.read_bytes())
    path.unlink()


def _raised(project: Project) -> None:
    """Pass off the record at one level as that at another, by its name alone."""
    path = project.record("algorithm")
    project.record("live").write_bytes(path.read_bytes())


def _of_another(project: Project) -> None:
    """Copy the evidence of one falsifier to another."""
    folder = project.root / "evidence/honest-v1" / HONEST
    shutil.copytree(folder, project.root / "evidence/honest-v1/FALSIFY-HONEST-002")
    text = project.text(CONTRACT)
    clause = text[text.index("  - id: FALSIFY") :]
    project.write(CONTRACT, text + clause.replace(HONEST, "FALSIFY-HONEST-002").replace("0.01", "0.001"))


def _check_changed(project: Project) -> None:
    project.edit(
        CHECK, "abs(reference[name] - candidate[name])", "abs(reference[name] - candidate[name]) / 2"
    )


def _dirty(project: Project) -> None:
    project.edit(CHECK, "Table = dict", "unused = 0\nTable = dict")
    project.pv("discharge", HONEST)


def _import(room: Room) -> Played:
    """Import a record whose numbers were edited on the way."""
    here, elsewhere = room.project(), room.project()
    control = here.pv("evidence", "import", str(elsewhere.root / "evidence"))
    shutil.rmtree(here.root / "evidence")
    elsewhere.alter("live", _numbers)
    return Played(control, here.pv("evidence", "import", str(elsewhere.root / "evidence")))


def _import_other(room: Room) -> Played:
    """Import a record of a tree in which the check halves what it measures."""
    here, elsewhere = room.project(), room.project()
    control = here.pv(*_STATUS)
    _check_changed(elsewhere)
    elsewhere.pv("discharge", HONEST)
    shutil.rmtree(here.root / "evidence/honest-v1")
    here.pv("evidence", "import", str(elsewhere.root / "evidence"))
    return Played(control, here.pv(*_STATUS))


def _sidecar(room: Room) -> Played:
    """Exchange the long series of a record for that of another run."""
    project = room.project()
    body = """
    run.record("expected", 6)
    run.record("one_sided", 0)
    for name in sorted(reference.keys() & candidate.keys()):
        run.record("error", abs(reference[name] - candidate[name]), label=name)
    for number in range(40000):
        run.record("filler", number / 7)
    """
    project.measure(body)
    project.edit(
        CHECK,
        'Metric("one_sided", kind="count"),',
        'Metric("one_sided", kind="count"),\n        Metric("filler"),',
    )
    project.edit(CONTRACT, "count(error) == expected and one_sided == 0", "count(error) == 6")
    project.pv("discharge", HONEST)
    control = project.pv(*_VERIFY)
    for path in project.root.glob("evidence/honest-v1/*/live-*.series.json"):
        series = json.loads(path.read_text(encoding="utf-8"))
        series["measurements"]["error"]["values"][0] = 0.0
        path.write_text(json.dumps(series), encoding="utf-8")
    return Played(control, project.pv(*_VERIFY))


def _same_run_twice(room: Room) -> Played:
    """Pass one run off as another of a claim over several."""
    project = room.project()
    project.edit(CONTRACT, "    ship_blocking", "    runs: {by: seed, seeds: [0, 1]}\n    ship_blocking")
    project.edit(CONTRACT, "count(error) == expected and one_sided == 0", "count(error) == 12")
    project.edit(CONTRACT, "[one_off, one_lost]", "[one_off]")
    project.pv("discharge", HONEST)
    control = project.pv(*_STATUS)
    (first,) = project.root.glob("evidence/honest-v1/*/live-*seed-0.json")
    (second,) = project.root.glob("evidence/honest-v1/*/live-*seed-1.json")
    whole = json.loads(first.read_text(encoding="utf-8"))
    whole["predicate"]["place"]["run"] = "seed-1"
    whole["predicate"].pop("seal")
    second.write_text(json.dumps(statement(whole["predicate"])), encoding="utf-8")
    return Played(control, project.pv(*_STATUS))


def _searched(project: Project) -> None:
    """Let the check depend on its seed, and take one for which it passes."""
    project.measure(
        """
    run.record("expected", len(run.undamaged("reference")))
    run.record("one_sided", len(reference.keys() ^ candidate.keys()))
    luck = random.Random(run.seed).random() / 25
    for name in sorted(reference.keys() & candidate.keys()):
        run.record("error", abs(reference[name] - candidate[name]) + luck, label=name)
    """,
        "import random",
    )
    for seed in range(1, 20):
        if not project.pv("discharge", HONEST, "--seed", str(seed)).code:
            return


def _all_forged(project: Project) -> None:
    """Take the records of a sound table for those of a false one."""
    _far_off(project)
    digest = project.text("pv.toml").split("data/candidate.json")[1].split('sha256 = "')[1][:64]

    def subject(whole: dict[str, Any]) -> None:
        predicate = whole["predicate"]
        predicate["subjects"]["candidate"]["sha256"] = digest
        predicate["inputs"]["artefacts"]["candidate"] = digest

    for level in ("algorithm", "live"):
        project.alter(level, subject, sealed=True)
    project.commit()


RECORDS = (
    Attempt("edit what was measured", "exit 1", f"section measurements {_ALTERED}", _edited(_numbers)),
    Attempt("edit the verdict's margin", "exit 1", f"section verdict {_ALTERED}", _edited(_verdict)),
    Attempt(
        "edit what a counter-example came to",
        "exit 1",
        f"section counter_examples {_ALTERED}",
        _edited(_caught, "algorithm"),
    ),
    Attempt("edit the seed", "exit 1", f"section run {_ALTERED}", _edited(_seed)),
    Attempt(
        "lower the version of the schema", "exit 1", f"section schema_version {_ALTERED}", _edited(_older)
    ),
    Attempt("write Pass over Fail", "UNBOUND", f"section verdict {_ALTERED}", tampered(_turned, *_STATUS)),
    Attempt(
        "write Pass over Fail, and seal it anew",
        "UNBOUND",
        "section verdict does not follow from the measurements",
        tampered(_resealed, *_STATUS),
    ),
    Attempt(
        "call a counter-example caught that was not, and seal it anew",
        "UNBOUND",
        "section counter_examples.one_off does not follow from the measurements",
        tampered(lambda project: project.alter("algorithm", _plant_turned, sealed=True), *_STATUS),
    ),
    Attempt(
        "lower the version of the schema, and seal it anew",
        "UNBOUND",
        "section schema_version is not one that this version reads",
        tampered(lambda project: project.alter("live", _older, sealed=True), *_STATUS),
    ),
    Attempt(
        "say two things under one key", "UNBOUND", "key 'outcome' stands twice", tampered(_twice, *_STATUS)
    ),
    Attempt(
        "rename the record of one level", "UNBOUND", "but it lies elsewhere", tampered(_renamed, *_STATUS)
    ),
    Attempt(
        "write the record of one level over another",
        "UNBOUND",
        "but it lies elsewhere",
        tampered(_raised, *_STATUS),
    ),
    Attempt(
        "copy the evidence of another falsifier",
        "UNBOUND",
        "but it lies elsewhere",
        tampered(_of_another, *_STATUS),
    ),
    Attempt(
        "keep the evidence of another artefact",
        "STALE",
        "subject candidate: sha256",
        tampered(_far_off, *_STATUS),
    ),
    Attempt(
        "keep the evidence of another check",
        "STALE",
        "measuring/errors.py changed",
        tampered(_check_changed, *_STATUS),
    ),
    Attempt("import a record that was edited on the way", "exit 1", "REFUSED honest-v1", _import),
    Attempt("import the record of another tree", "STALE", "measuring/errors.py changed", _import_other),
    Attempt(
        "pass one run off as two",
        "UNBOUND",
        "section place names the run seed-1, and section run another",
        _same_run_twice,
    ),
    Attempt("exchange a long series", "exit 1", "differs from its sidecar", _sidecar),
    Attempt(
        "record from a tree that is not committed",
        "dirty",
        "dirty",
        tampered(_dirty, "evidence", "show", HONEST),
    ),
    Attempt("search for a seed that passes", "seed", "with seed", tampered(_searched, *_STATUS)),
    Attempt(
        "forge a record that contradicts nothing",
        "exit 1",
        "the verdict is not reproduced",
        tampered(_all_forged, *run_of(HONEST, "--force", "--against", "HEAD")),
    ),
)
