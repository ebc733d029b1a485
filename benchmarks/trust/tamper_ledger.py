"""Rows of the ledger that are edited, taken away or put elsewhere, by somebody who took its guards away."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import cast

from benchmarks.trust.victim import Do, Said, Victim
from pv.config import load_config
from pv.ledger.chain import FIRST_LINK, chained
from pv.ledger.ledger import open_ledger

__all__ = ["CASES", "judged"]

NAME = ".pv/ledger.sqlite"


def judged(victim: Victim) -> list[Said]:
    """Return what is said against the ledger, whose head was noted when it was filled."""
    head = (victim.root / "head").read_text(encoding="utf-8")
    code, out, err = victim.pv("evidence", "ledger", "verify", "--head", head, "--json")
    if code not in {0, 1}:
        return [Said(NAME, "error", err.strip())]
    broken = json.loads(out)["broken"]
    return [Said(NAME, broken["reason"], f"{broken['position']}: {broken['why']}")] if broken else []


def _run(victim: Victim, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(victim.root / NAME)) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def _sql(*statements: str) -> Do:
    return lambda victim: _run(victim, *statements)


_DELETE = (
    "DELETE FROM pv_comparisons WHERE digest IN (SELECT digest FROM pv_records WHERE {which})",
    "DELETE FROM pv_records WHERE {which}",
)


def _taken(which: str, *more: str) -> Do:
    return _sql(*(statement.format(which=which) for statement in _DELETE), *more)


def _moved(to: int, place: int) -> str:
    return f"UPDATE pv_records SET position = {to} WHERE position = {place}"  # noqa: S608 -- our own numbers


def _rewritten(victim: Victim) -> None:
    """Edit an entry, and chain everything anew: without the head, nobody could tell."""
    _run(victim, "UPDATE pv_records SET outcome = 'Fail' WHERE position = 2")
    ledger = open_ledger(None, load_config(victim.root))
    facts = {one.digest: one for one in ledger.facts()}
    with contextlib.closing(sqlite3.connect(victim.root / NAME)) as connection:
        order = connection.execute("SELECT digest FROM pv_records ORDER BY position").fetchall()
        for entry in chained(0, FIRST_LINK, (facts[cast("str", digest)] for (digest,) in order)):
            connection.execute(
                "UPDATE pv_records SET link = ? WHERE position = ?", (entry.link, entry.position)
            )
        connection.commit()


_COPY = (
    "INSERT INTO pv_records SELECT '{digest}', contract, identifier, level, base_level, subject, device, "
    "run, host, 'Pass', started_at, seconds, commit_id, dirty, clause, inputs, decisive, {position}, link "
    "FROM pv_records WHERE position = 1"
)

CASES: tuple[tuple[str, str, str, str, Do], ...] = (
    ("an outcome in the ledger is edited", NAME, "edited", "2: entry 2, ",
     _sql("UPDATE pv_records SET outcome = 'Fail' WHERE position = 2")),
    ("a time in the ledger is edited", NAME, "edited", "1: entry 1, ",
     _sql("UPDATE pv_records SET started_at = '2020' WHERE position = 1")),
    ("a digest in the ledger is edited", NAME, "edited", "4: entry 4, ",
     _sql("UPDATE pv_records SET clause = hex(zeroblob(32)) WHERE position = 4")),
    ("a measured value in the ledger is edited", NAME, "edited", "entry ",
     _sql("UPDATE pv_comparisons SET value = value + 1e-9 WHERE rowid = 1")),
    ("a number in the ledger becomes a text", NAME, "edited", "3: entry 3, ",
     _sql("UPDATE pv_records SET seconds = 'soon' WHERE position = 3")),
    ("the comparisons of an entry are taken out", NAME, "edited", "entry ",
     _sql("DELETE FROM pv_comparisons WHERE rowid = 1")),
    ("a comparison is added to an entry", NAME, "edited", "2: entry 2, ",
     _sql("INSERT INTO pv_comparisons SELECT digest, 99, 'x', 1, 1, NULL, NULL FROM pv_records "
          "WHERE position = 2")),
    ("a link of the chain is edited", NAME, "edited", "3: entry 3, ",
     _sql("UPDATE pv_records SET link = hex(zeroblob(32)) WHERE position = 3")),
    ("an entry is taken out of the ledger", NAME, "removed", "2: after entry 1 comes entry 3",
     _taken("position = 2")),
    ("the first entry is taken out of the ledger", NAME, "removed", "1: after entry 0 comes entry 2",
     _taken("position = 1")),
    ("an entry is taken out, and the others close up", NAME, "edited", "or one before it is gone",
     _taken("position = 2", _moved(2, 3), _moved(3, 4))),
    ("the last entry is taken out of the ledger", NAME, "truncated", "4: the chain ends after entry 3",
     _taken("position = 4")),
    ("the last two entries are taken out of the ledger", NAME, "truncated", "3: the chain ends after entry 2",
     _taken("position > 2")),
    ("all entries are taken out of the ledger", NAME, "truncated", "1: the chain ends after entry 0",
     _taken("position > 0")),
    ("two entries of the ledger change places", NAME, "moved", "chained after what is now entry 3",
     _sql(_moved(0, 2), _moved(2, 3), _moved(3, 0))),
    ("an early entry is moved behind a later one", NAME, "removed", "1: after entry 0 comes entry 2",
     _sql(_moved(5, 1))),
    ("an entry is moved to the end, and the others close up", NAME, "moved", "after what is now entry 4",
     _sql(_moved(0, 2), _moved(2, 3), _moved(3, 4), _moved(4, 0))),
    ("an entry is edited, and all are chained anew", NAME, "truncated", "without the head", _rewritten),
    ("an entry that nobody chained is added", NAME, "edited", "5: entry 5, ",
     _sql(_COPY.format(digest="f" * 64, position=5))),
)  # fmt: skip
