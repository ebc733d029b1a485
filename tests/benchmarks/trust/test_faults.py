"""The layer finds what is planted, and nothing in what was mended; each mended thing has a line here."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from pathlib import Path

import pytest

from benchmarks.trust.faults.engine_operations import ENGINE
from benchmarks.trust.faults.evidence_operations import EVIDENCE
from benchmarks.trust.faults.injection import FAULTS, inject
from benchmarks.trust.faults.operations import Operation
from benchmarks.trust.faults.supervisor import Call, Fail, Word, supervise
from pv.whole_file import flush_folder, replace_file

OLD, NEW = b"old" * 700, b"new" * 700


def old(folder: Path) -> None:
    (folder / "file").write_bytes(OLD)


def read(folder: Path) -> Hashable:
    return (folder / "file").read_bytes()


def whole(folder: Path) -> None:
    replace_file(folder / "file", NEW)


def in_place(folder: Path) -> None:
    (folder / "file").write_bytes(NEW)


def unflushed(folder: Path) -> None:
    (folder / "beside").write_bytes(NEW)
    (folder / "beside").replace(folder / "file")
    flush_folder(folder)


def folder_unflushed(folder: Path) -> None:
    with (folder / "beside").open("wb") as file:
        file.write(NEW)
        file.flush()
        os.fsync(file.fileno())
    (folder / "beside").replace(folder / "file")


def silent(folder: Path) -> None:
    try:
        whole(folder)
    except OSError:
        return


def of_another_kind(folder: Path) -> None:
    try:
        whole(folder)
    except OSError as error:
        raise KeyError("what has this to do with keys?") from error


def short(folder: Path) -> None:
    descriptor = os.open(folder / "beside", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.write(descriptor, NEW)
    os.fsync(descriptor)
    os.close(descriptor)
    (folder / "beside").replace(folder / "file")
    flush_folder(folder)


def stumbles(folder: Path) -> None:
    with (folder / "lock").open("x"):
        whole(folder)
    (folder / "lock").unlink()


@pytest.mark.parametrize(
    ("act", "fault", "what"),
    [
        (in_place, "kill", "half"),
        (in_place, "power", "half"),
        (unflushed, "power", "half"),
        (folder_unflushed, "power", "it was said to be done, and is not"),
        (silent, "ENOSPC", "it was said to be done, and is not"),
        (of_another_kind, "EIO", "ends with KeyError"),
        (short, "short", "it was said to be done, and is not"),
        (stumbles, "kill", "the next command fails"),
    ],
)
def test_what_is_planted_is_found(act: Callable[[Path], object], fault: str, what: str) -> None:
    tally = inject(Operation("planted", old, act, read), [fault])
    assert any(found.what.startswith(what) for found in tally.found), tally.found


def test_a_file_that_is_replaced_whole_outlasts_every_fault() -> None:
    tally = inject(Operation("whole", old, whole, read), every=3)
    assert (tally.found, tally.calls) == ([], 8)
    assert tally.points > 8 * (len(FAULTS) - 3) // 3
    assert tally.images


def test_what_works_without_a_fault_only_is_no_operation() -> None:
    with pytest.raises(RuntimeError, match="changes nothing"):
        inject(Operation("idle", old, lambda _: None, read))
    with pytest.raises(RuntimeError, match="fails without any fault"):
        inject(Operation("broken", old, lambda folder: (folder / "x" / "y").touch(), read))


def test_no_call_is_missed_whoever_makes_it(tmp_path: Path) -> None:
    folder = Path(os.path.realpath(tmp_path))
    seen: list[str] = []

    def watch(call: Call) -> Word | Fail:
        seen.append(call.what.name)
        return Fail(28) if call.kind == "write" else Word.GO_ON

    # A program of its own, which knows nothing of us.
    ending = supervise(lambda: os.system(f"mkdir {folder}/a && echo x > {folder}/a/b"), folder, watch)  # noqa: S605
    assert ending.how == "returned"
    assert [name.removesuffix("at") for name in seen if name != "fchmod"] == ["mkdir", "open", "write"]
    assert (folder / "a" / "b").read_bytes() == b""


# Each of these once left something half, or lost what it had acknowledged.
MENDED = [
    ("record, the first of a project", "power"),
    ("record with a sidecar, the first", "power"),
    ("journal, begun", "power"),
    ("journal, begun over a finished one", "ENOSPC"),
    ("journal, gone on with", "short"),
    ("journal, cut short and gone on with", "full"),
    ("pv init", "full"),
    ("pv init", "power"),
    ("pv scaffold --bind", "kill"),
    ("store, a record pushed", "power"),
    ("ledger, more facts", "power"),
    ("folder, replaced", "ENOSPC"),
    ("folder, replaced", "power"),
    ("notes of a job", "short"),
    ("notes of a job", "power"),
]


@pytest.mark.parametrize(("name", "fault"), MENDED)
def test_what_was_mended_stays_so(name: str, fault: str) -> None:
    [operation] = [one for one in (*EVIDENCE, *ENGINE) if one.name == name]
    # A fourth of the points of commands and databases, which take long; `make trust` goes through all.
    tally = inject(operation, [fault], every=4 if name.startswith(("pv", "ledger")) else 1)
    assert not tally.found, "\n".join(map(str, tally.found))
