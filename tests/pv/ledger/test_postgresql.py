"""The ledger against a real PostgreSQL, which is started here: many writers, and kills in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.kills_ledger import rounds
from benchmarks.postgresql import Server, running
from pv.exits import Exit
from pv.ledger import Ledger, LedgerError
from pv.ledger.ledger import open_ledger
from pv.record_facts import Facts

if TYPE_CHECKING:
    from tests.pv.conftest import Project

pytestmark = pytest.mark.service
Made = Callable[[int], Facts]

WRITES = """
import sys
sys.path.insert(0, sys.argv[1])
from conftest import made
from pv.ledger import Ledger
ledger = Ledger(sys.argv[2])
for number in map(int, sys.argv[3:]):
    ledger.enter([made(number + 1), made(number)])
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """A database of its own for each test."""
    name = f"d{abs(hash(request.node.name))}"
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return server.url.replace("/postgres?", f"/{name}?")


def test_many_processes_make_the_tables_and_write_at_once(url: str, made: Made) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    # Every number is entered by two writers, in opposite orders.
    numbers = [[str(12 * (writer // 2) + step) for step in range(12)] for writer in range(12)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITES, Path(__file__).parent, url, *own[:: 1 if index % 2 else -1]],
            env=environment,
        )
        for index, own in enumerate(numbers)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 12
    walk = Ledger(url).walk()
    assert (walk.entries, walk.broken) == (73, None)
    assert Ledger(url).facts() == sorted(
        (made(number) for number in range(73)), key=lambda one: (one.started_at, one.digest)
    )


def test_entering_again_changes_nothing_and_nobody_changes_a_row(url: str, made: Made) -> None:
    import psycopg

    ledger = Ledger(url)
    assert ledger.enter(made(number) for number in range(700)) == 700
    assert ledger.enter(made(number) for number in range(650, 710)) == 10
    assert ledger.facts([("c-v1", "F-3")]) == [made(number) for number in range(710) if number % 7 == 3]
    with psycopg.connect(url) as connection:
        for statement in (
            "DELETE FROM pv_records",
            "UPDATE pv_comparisons SET value = 0",
            "TRUNCATE pv_records CASCADE",
            "DELETE FROM pv_ledger",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(statement)
            connection.rollback()
    whole = ledger.walk()
    assert (whole.entries, whole.broken) == (710, None)
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")  # no trigger is asked
        connection.execute("UPDATE pv_comparisons SET value = 0 WHERE digest = %s", (made(701).digest,))
    broken = ledger.walk().broken
    assert broken is not None
    assert (broken.position, broken.reason) == (702, "edited")


def test_a_database_that_is_not_there_is_one_message(server: Server) -> None:
    url = server.url.replace("/postgres?", "/nowhere?").replace("pv@", "pv:secret@")
    with pytest.raises(LedgerError, match=r'database "nowhere" does not exist') as caught:
        Ledger(url, patience=600.0).facts()  # it would not be there later, either
    assert "secret" not in str(caught.value)


def test_a_fleet_sweeps_into_one_ledger(project: Project, url: str) -> None:
    toml = project.root / "pv.toml"
    toml.write_text(f'[ledger]\nurl = "{url}"\nrecord = true\n' + toml.read_text("utf-8"), encoding="utf-8")
    assert project.pv("sweep").code == Exit.ACCEPTED
    assert project.pv("sweep", "--force").code == Exit.ACCEPTED
    assert len(open_ledger(None, project.config()).facts()) == 4
    (document,) = project.pv("evidence", "history", "FALSIFY-SMALL-001", "--json").json
    assert document["sources"] == {"ledger": 4, "folder": 2}
    assert [len(series["points"]) for series in document["series"]] == [2, 2]


def test_what_was_acknowledged_survives_kills_of_the_server() -> None:
    entered, wrong = rounds(kills=3, seed=1)
    assert wrong == []
    assert entered > 100
