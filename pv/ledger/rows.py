"""Facts into the rows of a ledger, chained, and back."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, text, tuple_

from pv.ledger.chain import FIRST_LINK, Entry, chained
from pv.ledger.tables import COMPARISONS, RECORDS
from pv.record_facts import Compared, Facts

__all__ = ["entries", "insert_facts", "select_facts"]

_LOCK = 0x7076_6368_6169_6E00
"""Whoever adds to the chain in PostgreSQL holds this advisory lock, until it is committed."""
_PAGE = 500


def insert_facts(connection: Connection, part: Sequence[Facts]) -> int:
    """Chain what is new of `part` behind the last entry; return how many that were.

    The transaction of `connection` has to be alone in adding: otherwise two would follow the same entry. A
    writer of SQLite is, since its transaction begins immediately; one of PostgreSQL takes a lock, and sees
    what was committed before it got it. That a position is there once, the tables make sure.
    """
    if not _missing(connection, part):
        return 0
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    new = _missing(connection, part)
    last = connection.execute(
        select(RECORDS.c.position, RECORDS.c.link).order_by(RECORDS.c.position.desc()).limit(1)
    ).one_or_none()
    added = [*chained(last.position if last else 0, last.link if last else FIRST_LINK, new)]
    if added:
        connection.execute(insert(RECORDS), [_row(entry) for entry in added])
    compared = [
        {"digest": entry.facts.digest, "position": position, **dataclasses.asdict(each)}
        for entry in added
        for position, each in enumerate(entry.facts.compared)
    ]
    if compared:
        connection.execute(insert(COMPARISONS), compared)
    return len(added)


def _missing(connection: Connection, part: Sequence[Facts]) -> list[Facts]:
    digests = [one.digest for one in part]
    there = set(connection.execute(select(RECORDS.c.digest).where(RECORDS.c.digest.in_(digests))).scalars())
    return [one for one in part if one.digest not in there]


def _row(entry: Entry) -> dict[str, Any]:
    row = {field.name: getattr(entry.facts, field.name) for field in dataclasses.fields(Facts)}
    del row["compared"]
    row["commit_id"] = row.pop("commit")
    return {**row, "position": entry.position, "link": entry.link}


def select_facts(connection: Connection, addresses: Sequence[tuple[str, str]]) -> list[Facts]:
    """Return the facts of the falsifiers `addresses` (contract, id), or of all, oldest first."""
    of = tuple_(RECORDS.c.contract, RECORDS.c.identifier).in_(list(addresses)) if addresses else None
    records = select(RECORDS).order_by(RECORDS.c.started_at, RECORDS.c.digest)
    joined = select(COMPARISONS).join(RECORDS).order_by(COMPARISONS.c.digest, COMPARISONS.c.position)
    if of is not None:
        records, joined = records.where(of), joined.where(of)
    # Records first: what others commit between the two queries is then no record without its comparisons.
    found = [dict(row) for row in connection.execute(records).mappings()]
    compared = _compared(connection.execute(joined).mappings())
    return [_entry(row, compared).facts for row in found]


def entries(connection: Connection) -> Iterator[Entry]:
    """Yield every entry in the order of the chain, some hundred at a time."""
    after: tuple[int, str] | None = None
    while True:
        page = select(RECORDS).order_by(RECORDS.c.position, RECORDS.c.digest).limit(_PAGE)
        if after is not None:
            page = page.where(tuple_(RECORDS.c.position, RECORDS.c.digest) > after)
        found = [dict(row) for row in connection.execute(page).mappings()]
        if not found:
            return
        digests = [row["digest"] for row in found]
        joined = select(COMPARISONS).where(COMPARISONS.c.digest.in_(digests))
        ordered = joined.order_by(COMPARISONS.c.digest, COMPARISONS.c.position)
        compared = _compared(connection.execute(ordered).mappings())
        yield from (_entry(row, compared) for row in found)
        after = found[-1]["position"], found[-1]["digest"]


def _compared(rows: Any) -> Mapping[str, list[Compared]]:
    found: dict[str, list[Compared]] = defaultdict(list)
    for row in rows:
        found[row["digest"]].append(
            Compared(row["measured"], row["value"], row["margin"], row["relative"], row["unit"])
        )
    return found


def _entry(row: dict[str, Any], compared: Mapping[str, list[Compared]]) -> Entry:
    values = dict(row)
    position, link = values.pop("position"), values.pop("link")
    values["commit"] = values.pop("commit_id")
    return Entry(position, link, Facts(**values, compared=tuple(compared.get(values["digest"], ()))))
