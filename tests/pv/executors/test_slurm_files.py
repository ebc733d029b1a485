from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.executors.slurm_files import Attempt, latest_attempt, new_attempt

TASK = {"address": "small-v1#FALSIFY-SMALL-001"}
ROOT = Path(__file__).parents[3]


def test_an_attempt_is_found_by_the_number_that_the_task_has(tmp_path: Path) -> None:
    assert latest_attempt(tmp_path, TASK) is None
    first, second = new_attempt(tmp_path, TASK), new_attempt(tmp_path, TASK)
    found = latest_attempt(tmp_path, TASK)
    assert found is not None
    assert found.path == second.path != first.path
    assert latest_attempt(tmp_path, {**TASK, "attempt": 1}) is None
    third = new_attempt(tmp_path, {**TASK, "attempt": 1})
    assert len({first.name, second.name, third.name}) == 3
    for _ in range(10):
        last = new_attempt(tmp_path, TASK)
    found = latest_attempt(tmp_path, TASK)
    assert found is not None
    assert found.path == last.path


@given(st.tuples(st.text(), st.text()))
def test_two_addresses_never_share_a_folder(addresses: tuple[str, str]) -> None:
    sweep = Path("sweep")
    from pv.executors.slurm_files import _folder

    one, other = (_folder(sweep, {"address": address}) for address in addresses)
    assert one.parent == other.parent == sweep
    assert (one == other) is (addresses[0] == addresses[1])


def test_the_job_is_the_one_that_was_submitted_whole(tmp_path: Path) -> None:
    attempt = new_attempt(tmp_path, TASK)
    (attempt.path / "abc.pkl").touch()
    assert attempt.job is None
    (attempt.path / "9_submitted.pkl").touch()
    (attempt.path / "10_submitted.pkl").touch()
    assert attempt.job == "10"


def test_progress_is_followed_line_by_line_whatever_is_half_written(tmp_path: Path) -> None:
    attempt = new_attempt(tmp_path, TASK)
    assert attempt.told(0) == ([], 0)
    attempt.tell({"kind": "progress", "done": 1})
    events, since = attempt.told(0)
    assert [event["done"] for event in events] == [1]
    with (attempt.path / "progress.jsonl").open("ab") as file:
        file.write(b'{"done"')
        file.flush()
        assert attempt.told(since) == ([], since)
        file.write(b": 2}\n")
    events, since = attempt.told(since)
    assert [event["done"] for event in events] == [2]
    assert attempt.told(since) == ([], since)


def test_a_note_that_the_host_died_in_is_none(tmp_path: Path) -> None:
    attempt = new_attempt(tmp_path, TASK)
    assert attempt.notes() == []
    attempt.note("begun", node="one")
    with (attempt.path / "notes.jsonl").open("ab") as file:
        file.write(b'{"what": "tol')
    assert [note["what"] for note in attempt.notes()] == ["begun"]


WRITER = """
    import sys
    from pathlib import Path
    from pv.executors.slurm_files import Attempt

    attempt = Attempt(Path(sys.argv[1]))
    for number in range(10**9):
        attempt.write_end({"number": number, "more": "x" * 100000})
"""


def test_an_end_is_whole_or_not_there_however_its_writer_ends(tmp_path: Path) -> None:
    import textwrap

    attempt = new_attempt(tmp_path, TASK)
    assert attempt.end() is None
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(attempt.path)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ) as process:
            while attempt.end() is None:
                pass
            process.kill()
        found = attempt.end()
        assert found is not None
        assert len(found["more"]) == 100000


def test_what_the_job_printed_is_told_from_its_end(tmp_path: Path) -> None:
    attempt = new_attempt(tmp_path, TASK)
    assert attempt.said() == ""
    (attempt.path / "7_0_log.out").write_text("a" * 10000 + "out\n")
    (attempt.path / "7_0_log.err").write_bytes(b"\xff err")
    said = attempt.said()
    assert "out" in said
    assert "� err" in said
    assert len(said) < 9000


def test_each_sign_of_life_is_another(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path)
    signs = [attempt.sign()]
    for _ in range(3):
        attempt.live()
        signs.append(attempt.sign())
        assert attempt.sign() == signs[-1]
    assert len(set(signs)) == 4


def test_looking_again_leaves_nothing(tmp_path: Path) -> None:
    attempt = new_attempt(tmp_path, TASK)
    before = attempt.path.stat().st_mtime_ns
    attempt.look_again()
    assert [*attempt.path.iterdir()] == []
    assert attempt.path.stat().st_mtime_ns > before


def test_a_cancelled_attempt_knows_it(tmp_path: Path) -> None:
    attempt = new_attempt(tmp_path, TASK)
    other = Attempt(attempt.path)
    assert not attempt.cancelled
    attempt.cancel()
    assert other.cancelled


def test_an_attempt_that_is_gone_needs_no_cancelling(tmp_path: Path) -> None:
    attempt = new_attempt(tmp_path, TASK)
    attempt.path.rmdir()
    attempt.cancel()
    assert not attempt.path.exists()
    with pytest.raises(FileNotFoundError):
        attempt.note("begun")
