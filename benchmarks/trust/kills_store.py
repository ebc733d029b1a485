"""Kill a process that writes, at any moment, again and again: what it said is written is there, whole.

A child, forked so that a round takes milliseconds, replaces a record (with a sidecar each third time), puts
an object into a store, and adds lines to a journal; after each such step it says so through a pipe. Meanwhile
the record is read again and again. Then the child is ended with SIGKILL, and what lies there is held
against what was said. The next child goes on in the same folder.

    python -m benchmarks.trust.kills_store [ROUNDS] [SEED]      by default 1,000 rounds, seed 0
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.trust.faults.evidence_operations import ADDRESS, LONG, made, where
from benchmarks.trust.faults.memory import memory
from pv.errors import EvidenceError, SelectionError
from pv.evidence import read_record, remove_partial, sidecars_of, write_record
from pv.journal import Journal, read_journal
from pv.outcome import Discharge
from pv.store.objects import Objects

__all__ = ["Kills", "kill"]

LONGEST_SECONDS = 0.012
"""A writer lives, to begin with; more where a busy host would else kill most before they write anything."""
_PAUSE_SECONDS = 0.0002
ROUNDS_OF_A_JOURNAL = 20
"""Then another is begun, so that beginning one is killed, too."""
_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Kills:
    """What came of so many rounds; `written` steps were said to be done, `looks` times a record was read."""

    rounds: int
    written: int
    looks: int
    seconds: float
    wrong: Sequence[str]


def kill(rounds: int, seed: int = 0, work: Path | None = None) -> Kills:
    """Kill a writer in each of `rounds` rounds; `work` is where a folder is made, by default in memory."""
    choice = random.Random(seed)  # noqa: S311 -- moments, not secrets
    began = time.monotonic()
    wrong: list[str] = []
    last = looks = 0
    longest = LONGEST_SECONDS
    with tempfile.TemporaryDirectory(prefix="pv-kills-", dir=work or memory()) as name:
        _step(
            Path(name), _journal(Path(name) / "first.jsonl"), _store(Path(name)), 1
        )  # imports, once for all
        folder = Path(name) / "project"
        for number in range(rounds):
            journal = folder / "sweeps" / f"{number // ROUNDS_OF_A_JOURNAL}.jsonl"
            before = last
            with _writing(folder, journal, before + 1) as said:
                until = time.monotonic() + choice.uniform(0, longest)
                while time.monotonic() < until:
                    wrong += _wrong_record(folder, 0)
                    looks += 1
                    time.sleep(_PAUSE_SECONDS)
            lines = said()
            wrong += [line for line in lines if not line.isdecimal()]
            last = max((int(line) for line in lines if line.isdecimal()), default=before)
            longest = max(LONGEST_SECONDS, longest * (1.05 if last <= number else 0.95))
            wrong += [f"round {number}: {what}" for what in _wrong(folder, journal, before, last)]
        wrong += _wrong_objects(folder, range(1, last + 1))
        wrong += _wrong_litter(folder)
    return Kills(rounds, last, looks, time.monotonic() - began, wrong)


@contextlib.contextmanager
def _writing(folder: Path, journal: Path, first: int) -> Iterator[_Said]:
    """Have a child write steps from `first` on, and kill it at the end; yields what returns what it said."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _write(folder, journal, first, told)
        except BaseException as error:
            os.write(told, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(1)
    os.close(told)
    said = _Said(heard)
    try:
        yield said
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said.listen()


class _Said:
    """The lines that a child has said; one that it was killed in is none."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._data = b""

    def listen(self) -> None:
        """Take down what there is; the child has ended."""
        while select.select([self._descriptor], [], [], 0)[0] and (
            part := os.read(self._descriptor, 1 << 16)
        ):
            self._data += part
        os.close(self._descriptor)

    def __call__(self) -> list[str]:
        return [line[:-1].decode() for line in self._data.splitlines(keepends=True) if line.endswith(b"\n")]


def _write(folder: Path, path: Path, first: int, told: int) -> None:
    journal, store = _journal(path), _store(folder)
    for number in range(first, first + 1_000_000):
        _step(folder, journal, store, number)
        os.write(told, f"{number}\n".encode())


def _step(folder: Path, journal: Journal, store: Objects, number: int) -> None:
    write_record(where(folder), made(number, 3 if number % 3 else LONG))
    store.put(_object(number), str(number).encode())
    address = f"c#F-{number}"
    end = {"event": "end", "at": "now", "end": Discharge(address, "a rule", "Pass").to_json()}
    journal.write({"event": "start", "falsifier": address, "at": "now"})
    journal.write(end)


def _store(folder: Path) -> Objects:
    return Objects(f"file://{folder}/store")


def _journal(path: Path) -> Journal:
    """Go on with a journal, or begin it where that was not done."""
    try:
        journal, _ = Journal.resume(path)
    except SelectionError:
        planned = [{"falsifier": f"c#{part}", "state": "run", "gate": False} for part in range(20)]
        journal = Journal.begin(path, {"at": "now", "options": {}, "falsifiers": len(planned)}, planned)
    return journal


def _object(number: int) -> str:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return f"objects/{digest[:2]}/{digest}"


def _wrong(folder: Path, journal: Path, before: int, last: int) -> Iterator[str]:
    """Say what is wrong, where `last` was said to be written, and `before` in the rounds before."""
    yield from _wrong_record(folder, last)
    yield from _wrong_objects(folder, range(before + 1, last + 1))
    try:
        ended = read_journal(journal).outcomes
    except SelectionError:
        ended = {}
    except (EvidenceError, FileNotFoundError) as error:
        if last > before:
            yield f"the journal cannot be read: {error}"
        return
    for number in range(before + 1, last + 1):
        if f"c#F-{number}" not in ended:
            yield f"step {number} is not in the journal"


def _wrong_record(folder: Path, last: int) -> Iterator[str]:
    """Say what is wrong with the record: it must be whole, and of the step `last` or the one after it."""
    path = where(folder)
    try:
        if not last and not path.exists():
            return
        predicate = read_record(path).predicate
    except EvidenceError as error:
        yield f"the record cannot be read: {error}"
        return
    number = predicate["number"]
    if predicate["measurements"] != made(number, 3 if number % 3 else LONG)["measurements"]:
        yield f"the record of step {number} is mixed"
    if last and number not in {last, last + 1}:
        yield f"the record is that of step {number}, and {last} was written"


def _wrong_objects(folder: Path, numbers: range) -> Iterator[str]:
    for number in numbers:
        path = folder / "store" / _object(number)
        if not path.is_file() or path.read_bytes() != str(number).encode():
            yield f"object {number} is missing or mixed"


def _wrong_litter(folder: Path) -> Iterator[str]:
    """Say what is left in the folder of records once it was tidied, besides the record and its sidecar."""
    path = where(folder)
    if not path.exists():
        return
    remove_partial(folder / "evidence", *ADDRESS)
    write_record(path, made(1))
    expected = {path.name, *sidecars_of(path.name, path.read_bytes())}
    if idle := {one.name for one in path.parent.iterdir()} - expected:
        yield f"{len(idle)} files are left beside the record: {sorted(idle)[:3]}"


def main() -> None:
    """Kill as often as was asked for, and print what came of it."""
    rounds, seed = ([int(word) for word in sys.argv[1:]] + [1000, 0][len(sys.argv) - 1 :])[:2]
    done = kill(rounds, seed)
    print(
        f"{done.rounds} kills in {done.seconds:.0f} s, {done.written} steps written, the record read "
        f"{done.looks} times meanwhile; {len(done.wrong)} wrong"
    )
    print(*done.wrong[:_SHOWN], sep="\n")
    raise SystemExit(bool(done.wrong))


if __name__ == "__main__":
    main()
