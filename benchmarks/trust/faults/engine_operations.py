"""What else the engine writes: journals, contracts, new files, stores, ledgers, caches, reports."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import tempfile
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from benchmarks.kills_ledger import made as facts
from benchmarks.trust.faults.operations import Operation
from pv.cli import parser
from pv.digests import SMALL_BYTES, DigestCache
from pv.errors import SelectionError
from pv.evidence_transfer import Carried, carry
from pv.executors.slurm_files import Attempt
from pv.exits import Exit
from pv.journal import Journal, read_journal
from pv.ledger import Ledger
from pv.outcome import Discharge
from pv.reports.destinations import write_atomically
from pv.store import Store
from pv.whole_folder import replace_folder

__all__ = ["ENGINE"]

_ROOT = Path(__file__).resolve().parents[3]
_FALSIFIERS = tuple(f"c#F-{number}" for number in range(40))
"""Their plan takes more than one page of the disk."""
_PROJECT = ("pv.toml", "contracts/first-v1.yaml", "pv_checks/first.py", "pv_checks/answers.jsonl")


def _nothing(_: Path) -> None:
    """Leave the folder empty."""


def _pv(folder: Path, *words: str) -> None:
    """Run a command of the engine in `folder`; what it prints is not ours to show."""
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        arguments = parser(words).parse_args(words)
        arguments.argv = ("pv", *words)
        if (code := arguments.run(arguments)) != Exit.ACCEPTED:
            raise OSError(int(code), f"pv ended with {code}")


def _files(folder: Path) -> Hashable:
    """Return all files with their bytes, but for those under hidden names."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return tuple((str(path.relative_to(folder)), path.read_bytes()) for path in sorted(paths))


def _some_written(old: Hashable, new: Hashable, seen: Hashable) -> bool:
    """Tell whether each file is as it was, or as it will be: of several, some may be written."""
    if not (isinstance(old, tuple) and isinstance(new, tuple) and isinstance(seen, tuple)):
        return False
    return {*seen} <= {*old, *new} and {name for name, _ in old} <= {name for name, _ in seen}


# Journals ---------------------------------------------------------------------------------------------------


def _journal(folder: Path) -> Path:
    return folder / "sweeps" / "one.jsonl"


def _begin(state: str, folder: Path) -> Journal:
    planned = [{"falsifier": a, "state": state, "gate": False, "note": "n" * 100} for a in _FALSIFIERS]
    return Journal.begin(_journal(folder), {"at": state, "options": {}, "falsifiers": len(planned)}, planned)


def _begun(state: str, folder: Path) -> None:
    _begin(state, folder).close()


def _begun_once(folder: Path) -> None:
    """Begin, unless it was begun: a sweep that can be gone on with is not begun anew."""
    if _read_journal(folder) != ("run", len(_FALSIFIERS), 0, 0):
        _begun("run", folder)


def _went_on(folder: Path) -> None:
    """Take the journal up, end what was running in it, and run what is left."""
    journal, reading = Journal.resume(_journal(folder))
    with journal:
        ends = [_end(address) for address in reading.running]
        for address in reading.left[: 3 - len(reading.outcomes) - len(ends)]:
            journal.write(*ends, {"event": "start", "falsifier": address, "at": "now"})
            ends = [_end(address)]
        journal.write(*ends)


def _end(address: str) -> dict[str, Any]:
    return {"event": "end", "at": "now", "end": Discharge(address, "a rule", "Pass").to_json()}


def _journal_cut(folder: Path) -> None:
    _begun("run", folder)
    with _journal(folder).open("ab") as file:
        file.write(b'{"event": "start", "fals')


def _read_journal(folder: Path) -> Hashable:
    try:
        reading = read_journal(_journal(folder))
    except (SelectionError, FileNotFoundError):
        return None
    return reading.sweep["at"], len(reading.planned), len(reading.outcomes), len(reading.running)


def _later(old: Hashable, new: Hashable, seen: Hashable) -> bool:
    """Tell whether `seen` is between the two: lines are added one after the other."""
    match old, new, seen:
        case (str(), int(), int(before), _), (str(), int(), int(after), _), (str(), int(), int(now), int(at)):
            return before <= now <= after and at in {0, 1}
    return False


# Contracts and new files ------------------------------------------------------------------------------------


def _project(folder: Path) -> None:
    _pv(folder, "init")


def _project_once(folder: Path) -> None:
    """Go on with a project, unless all of it is there."""
    if not all((folder / name).exists() for name in _PROJECT):
        _project(folder)


def _scaffold(folder: Path) -> None:
    _pv(folder, "scaffold", "FALSIFY-FIRST-001", "--bind")


def _claiming(folder: Path) -> None:
    _project(folder)
    contract = folder / "contracts" / "first-v1.yaml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(text.rstrip() + "\n    discharge_status: DISCHARGED\n", encoding="utf-8")


def _unbound(folder: Path) -> None:
    _project(folder)
    contract = folder / "contracts" / "first-v1.yaml"
    lines = contract.read_text(encoding="utf-8").splitlines(keepends=True)
    contract.write_text("".join(line for line in lines if "check:" not in line), encoding="utf-8")


# Stores and ledgers -----------------------------------------------------------------------------------------


def _record() -> Carried:
    return carry(_ROOT / "evidence/apr-model-qa-v1/FALSIFY-QA-002/live-no-subject-cpu.json")


def _push(folder: Path) -> None:
    Store(f"file://{folder}/store").push(_record())


def _read_store(folder: Path) -> Hashable:
    store = Store(f"file://{folder}/store")
    offers, faults = store.offers()
    if faults:
        raise ValueError(f"{faults}")
    return tuple(one.fetch().digest for one in offers)


def _enter(numbers: range, folder: Path) -> None:
    Ledger(f"sqlite:///{folder}/ledger.sqlite").enter(map(facts, numbers))


def _read_ledger(folder: Path) -> Hashable:
    found = Ledger(f"sqlite:///{folder}/ledger.sqlite").facts()
    if [one for one in found if one != facts(int(one.digest, 16))]:
        raise ValueError("what was never entered")
    return tuple(sorted(one.digest for one in found))


# Caches -----------------------------------------------------------------------------------------------------


def _big(folder: Path) -> None:
    (folder / "big").write_bytes(bytes(SMALL_BYTES))


def _remember(folder: Path) -> None:
    path = folder / "big"
    if not path.is_file() or path.stat().st_size != SMALL_BYTES:
        _big(folder)
    cache = DigestCache(folder / ".pv" / "digests.json", now=lambda: 1 << 62)
    cache.put(path, path.stat(), hashlib.sha256(path.read_bytes()).hexdigest())
    cache.save()


def _remembered(folder: Path) -> Hashable:
    """Return what is believed of the file; what is not true must not be."""
    path = folder / "big"
    known = DigestCache(folder / ".pv" / "digests.json").get(path)
    if known not in {None, hashlib.sha256(path.read_bytes()).hexdigest()}:
        raise ValueError("a digest that is not that of the file")
    return known


# Reports and folders ----------------------------------------------------------------------------------------


def _site(word: str, folder: Path) -> None:
    """Write a folder of two files, which must be of one making, and put it in its place."""
    fresh = Path(tempfile.mkdtemp(prefix=".fresh-", dir=folder))
    for name in ("one", "two"):
        (fresh / name).write_text(word * 1000)
    replace_folder(fresh, folder / "site")


def _read_site(folder: Path) -> Hashable:
    site = folder / "site"
    return tuple((path.name, path.read_bytes()) for path in sorted(site.iterdir())) if site.exists() else ()


def _attempt(folder: Path) -> Attempt:
    return Attempt(folder)


def _note(what: str, folder: Path) -> None:
    if {"what": what} not in _attempt(folder).notes():
        _attempt(folder).note(what)


def _read_notes(folder: Path) -> Hashable:
    return tuple(note["what"] for note in _attempt(folder).notes())


def _write_end(number: int, folder: Path) -> None:
    _attempt(folder).write_end({"event": "end", "number": number})


def _report(text: str, folder: Path) -> None:
    write_atomically(folder / "report.xml", text * 3000)


_part = functools.partial
ENGINE = (
    Operation("journal, begun", _nothing, _part(_begun, "run"), _read_journal, again=_begun_once),
    Operation(
        "journal, begun over a finished one",
        _part(_begun, "fresh"),
        _part(_begun, "run"),
        _read_journal,
        again=_begun_once,
    ),
    Operation("journal, gone on with", _part(_begun, "run"), _went_on, _read_journal, between=_later),
    Operation("journal, cut short and gone on with", _journal_cut, _went_on, _read_journal, between=_later),
    Operation("pv init", _nothing, _project, _files, between=_some_written, again=_project_once),
    Operation("pv sync", _claiming, lambda folder: _pv(folder, "sync"), _files),
    Operation("pv scaffold --bind", _unbound, _scaffold, _files, between=_some_written),
    Operation("store, a record pushed", _nothing, _push, _read_store),
    Operation("ledger, its first facts", _nothing, _part(_enter, range(3)), _read_ledger),
    Operation("ledger, more facts", _part(_enter, range(3)), _part(_enter, range(3, 9)), _read_ledger),
    Operation("cache of digests", _big, _remember, _remembered, promise="cache"),
    Operation("report, replaced", _part(_report, "old"), _part(_report, "new"), _files),
    Operation("folder, the first", _nothing, _part(_site, "new"), _read_site),
    Operation("folder, replaced", _part(_site, "old"), _part(_site, "new"), _read_site),
    Operation("notes of a job", _part(_note, "one"), _part(_note, "two"), _read_notes),
    Operation("end of a job", _part(_write_end, 1), _part(_write_end, 2), _files),
)
