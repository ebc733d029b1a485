from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.errors import ConfigError
from pv.exits import Exit
from pv.ledger import Ledger, LedgerError, open_ledger
from pv.ledger.filling import fill
from pv.ledger.place import DEFAULT
from pv.record_facts import Facts

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
Made = Callable[[int], Facts]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Ledger:
    return Ledger(f"sqlite:///{path}")


def count(path: Path, table: str = "pv_records") -> int:
    with sqlite3.connect(path) as connection:
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 -- our own
    connection.close()
    return int(rows)


def test_what_was_entered_comes_back_oldest_first(ledger: Ledger, made: Made) -> None:
    every = [made(number) for number in range(20)]
    assert ledger.enter(reversed(every)) == 20
    assert ledger.facts() == every
    assert ledger.facts([("c-v1", "F-3")]) == [made(3), made(10), made(17)]
    assert ledger.facts([("c-v1", "F-3"), ("c-v1", "F-4")]) == [
        made(number) for number in (3, 4, 10, 11, 17, 18)
    ]
    assert ledger.facts([("other", "F-3")]) == []


def test_entering_again_changes_nothing(ledger: Ledger, path: Path, made: Made) -> None:
    assert ledger.enter([made(1), made(1), made(2)]) == 2
    before = path.read_bytes()
    assert ledger.enter([made(2), made(1)]) == 0
    assert ledger.enter([]) == 0
    assert path.read_bytes() == before
    assert ledger.enter([made(number) for number in range(1200)]) == 1198
    assert (count(path), count(path, "pv_comparisons")) == (1200, 1800)


@pytest.mark.parametrize("table", ["pv_records", "pv_comparisons", "pv_ledger"])
def test_nobody_changes_or_removes_a_row(ledger: Ledger, path: Path, made: Made, table: str) -> None:
    ledger.enter([made(3)])
    connection = sqlite3.connect(path)
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = rowid"):  # noqa: S608 -- our own
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.close()


def test_a_batch_is_entered_whole_or_not_at_all(ledger: Ledger, path: Path, made: Made) -> None:
    ledger.enter([made(1)])
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON pv_comparisons WHEN NEW.value > 2 "
        "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    )
    connection.close()
    with pytest.raises(LedgerError, match="the disk is full"):
        ledger.enter([made(2), made(3), made(5), made(9)])
    assert count(path) == 1


WRITES = """
import sys
sys.path.insert(0, sys.argv[1])
from conftest import made
from pv.ledger import Ledger
ledger = Ledger(f"sqlite:///{sys.argv[2]}")
for number in map(int, sys.argv[3:]):
    ledger.enter([made(number), made(number + 1)])
"""


def test_many_processes_write_at_once(path: Path, made: Made) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    numbers = [[str(10 * writer + step) for step in range(12)] for writer in range(4)]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITES, Path(__file__).parent, path, *own], env=environment)
        for own in numbers
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    walk = Ledger(f"sqlite:///{path}").walk()
    assert (walk.entries, walk.broken) == (43, None)
    assert Ledger(f"sqlite:///{path}").facts() == [made(number) for number in range(43)]


def test_a_ledger_without_a_chain_is_refused_and_can_be_made_again(copied: Project) -> None:
    """The tables of the first version, as they were."""
    path = copied.root / DEFAULT
    path.parent.mkdir(exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE pv_ledger (version INTEGER PRIMARY KEY)")
    connection.execute("CREATE TABLE pv_records (digest VARCHAR(64) PRIMARY KEY, contract TEXT NOT NULL)")
    connection.execute("INSERT INTO pv_ledger VALUES (1)")
    connection.commit()
    connection.close()
    ended = copied.pv("evidence", "ledger")
    assert ended.code == Exit.ERROR
    assert "is of version 1, and this engine writes 2" in ended.err
    assert "move it away or name another, and fill that with `pv evidence ledger`" in ended.err
    path.rename(path.with_suffix(".old"))
    assert copied.pv("evidence", "ledger").out.startswith("2 entered")


def test_a_ledger_of_another_version_is_refused(ledger: Ledger, path: Path, made: Made) -> None:
    ledger.enter([made(1)])
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO pv_ledger VALUES (0)")
    connection.execute("DROP TRIGGER pv_ledger_no_delete")
    connection.execute("DELETE FROM pv_ledger WHERE version = 2")
    connection.commit()
    connection.close()
    with pytest.raises(LedgerError, match="is of version 0, and this engine writes 2"):
        Ledger(f"sqlite:///{path}").facts()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://host/x", "is SQLite or PostgreSQL, not 'mysql'"),
        ("what", "is SQLite or PostgreSQL"),
        ("postgresql://host:port/x", "URL is none"),
        ("sqlite://", "would be gone at once"),
        ("sqlite:///:memory:", "would be gone at once"),
    ],
)
def test_a_url_that_is_none_is_refused(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Ledger(url)


def test_a_database_that_is_away_is_one_message_and_shows_no_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed; make services installs it")
    url = f"postgresql://me:secret@/ledger?host={tmp_path}"
    with pytest.raises(LedgerError) as caught:
        Ledger(url, patience=0.0).facts()
    assert "secret" not in str(caught.value)
    assert "me:***" in str(caught.value)
    with pytest.raises(LedgerError, match="unable to open"):
        Ledger(f"sqlite:///{tmp_path}/none/ledger.sqlite").facts()


def test_the_ledger_is_below_the_project_unless_another_is_named(copied: Project, tmp_path: Path) -> None:
    open_ledger(None, copied.config()).facts()
    assert (copied.root / DEFAULT).is_file()
    toml = copied.root / "pv.toml"
    text = toml.read_text("utf-8")
    for url, file in (
        ("sqlite:///kept.sqlite", copied.root / "kept.sqlite"),
        (f"sqlite:///{tmp_path}/x", tmp_path / "x"),
    ):
        toml.write_text(f'[ledger]\nurl = "{url}"\n{text}', encoding="utf-8")
        open_ledger(None, copied.config()).facts()
        assert file.is_file()


def test_filling_enters_what_verifies_once(copied: Project, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/l")
    filled = fill(ledger, copied.config(), ["folder", "git"])
    assert (filled.read, filled.new, filled.refused) == (2, 2, ())
    path = copied.record()
    path.write_bytes(path.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    filled = fill(ledger, copied.config(), ["folder"])
    assert (filled.read, filled.new) == (1, 0)
    assert [one.why for one in filled.refused] == ["section run was altered after it was sealed"]
    assert len(ledger.facts()) == 2


def test_a_sweep_enters_what_it_recorded_where_it_is_told_to(project: Project) -> None:
    assert project.pv("sweep", ID).code == Exit.ACCEPTED
    assert not (project.root / DEFAULT).exists()
    toml = project.root / "pv.toml"
    toml.write_text("[ledger]\nrecord = true\n" + toml.read_text("utf-8"), encoding="utf-8")
    ended = project.pv("sweep", ID, "--force", "--json")
    assert (ended.code, ended.json["counts"]) == (Exit.ACCEPTED, {"Pass": 1})
    assert "2 entered: sqlite:///" in ended.err
    assert len(open_ledger(None, project.config()).facts()) == 2


def test_a_ledger_that_is_away_fails_no_sweep(project: Project) -> None:
    toml = project.root / "pv.toml"
    named = '[ledger]\nrecord = true\nurl = "sqlite:///none/ledger.sqlite"\n'
    toml.write_text(named + toml.read_text("utf-8"), encoding="utf-8")
    ended = project.pv("sweep", ID)
    assert ended.code == Exit.ACCEPTED
    assert "not entered into the ledger" in ended.err
    assert "`pv evidence ledger` enters it later" in ended.err
