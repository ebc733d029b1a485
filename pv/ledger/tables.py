"""The tables of the ledger, made once, and guarded against any change of what is in them."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
)

__all__ = ["COMPARISONS", "RECORDS", "VERSION", "make_tables", "version_of"]

VERSION = 2
"""Of the schema; it is in the table ``pv_ledger``. In the first there was no chain."""
_LOCK = 0x7076_6C65_6467_6572
"""Whoever makes the tables in PostgreSQL holds this advisory lock: any number, but always the same."""

METADATA = MetaData()
SCHEMA = Table("pv_ledger", METADATA, Column("version", Integer, primary_key=True))
RECORDS = Table(
    "pv_records",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("contract", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("base_level", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("commit_id", Text, nullable=False),
    Column("dirty", Boolean, nullable=False),
    Column("clause", String(64), nullable=False),
    Column("inputs", String(64), nullable=False),
    Column("decisive", Text, nullable=False),
    Column("position", Integer, nullable=False, unique=True),
    Column("link", String(64), nullable=False),
    Index("pv_records_of", "contract", "identifier", "started_at"),
)
COMPARISONS = Table(
    "pv_comparisons",
    METADATA,
    Column("digest", String(64), ForeignKey(RECORDS.c.digest), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("measured", Text, nullable=False),
    Column("value", Float, nullable=False),
    Column("margin", Float, nullable=False),
    Column("relative", Float),
    Column("unit", Text),
)


def version_of(connection: Connection) -> int | None:
    """Return the version of the schema; None where there are no tables yet."""
    if not inspect(connection).has_table(SCHEMA.name):
        return None
    return connection.execute(select(SCHEMA.c.version)).scalar()


def make_tables(connection: Connection) -> None:
    """Make the tables within the transaction of `connection`, where they are not there."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if version_of(connection) is not None:
        return
    METADATA.create_all(connection, checkfirst=False)
    for table in METADATA.tables.values():
        for statement in _GUARDS[connection.dialect.name]:
            connection.execute(text(statement.format(table=table.name)))
    connection.execute(insert(SCHEMA).values(version=VERSION))


_REFUSAL = "the ledger is append-only"
_GUARDS = {
    "sqlite": [
        f"""
        CREATE TRIGGER {{table}}_no_{word} BEFORE {word} ON {{table}}
        BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
        """
        for word in ("update", "delete")
    ],
    "postgresql": [
        f"""
        CREATE OR REPLACE FUNCTION pv_append_only() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$
        """,
        """
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION pv_append_only()
        """,
    ],
}
"""By dialect, what refuses a change; for people and scripts, since no code of ours makes any."""
