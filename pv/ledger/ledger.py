"""Enter facts into a ledger, and read them back."""

from __future__ import annotations

import functools
import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pv.config import Config
from pv.errors import ConfigError, PvError
from pv.ledger.chain import Walk, walk
from pv.ledger.place import DEFAULT
from pv.record_facts import Facts
from pv.whole_file import make_folder

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["Ledger", "LedgerError", "open_ledger"]

_BUSY_SECONDS = 60
_PATIENCE_SECONDS = 20.0
"""How long a server that is away is waited for: it may be starting again."""
_ROWS_AT_ONCE = 500
_FOR_GOOD = re.compile(r"FATAL:.*(does not exist|authentication failed|no pg_hba|permission denied)")
"""What a server says of a connection that it will not take later, either."""
_Result = TypeVar("_Result")


class LedgerError(PvError):
    """A ledger cannot be reached, is of another version, or is not what it should be."""


class Ledger:
    """The facts of records, each once by the digest of its bytes.

    Entering what is there already changes nothing, so whoever does not know whether it was entered enters
    it again. `patience` is for how many seconds a database that is away is waited for.
    """

    def __init__(self, url: str, *, patience: float = _PATIENCE_SECONDS) -> None:
        self._engine = _engine(url)
        self.shown: str = self._engine.url.render_as_string(hide_password=True)
        self._patience = patience
        self._made = False

    def enter(self, facts: Iterable[Facts]) -> int:
        """Enter `facts`, and return how many were not there; when it returns, they are on the disk.

        All of a batch of 500 are entered or none is.

        Raises
        ------
        LedgerError
            The database refuses them, or stays away.
        """
        from pv.ledger.rows import insert_facts

        once = {one.digest: one for one in facts}
        # In one order, whoever enters them: the chain then depends on what was entered, not on how it came.
        ordered = [once[digest] for digest in sorted(once)]
        new = 0
        for at in range(0, len(ordered), _ROWS_AT_ONCE):
            new += self._do(functools.partial(insert_facts, part=ordered[at : at + _ROWS_AT_ONCE]))
        return new

    def facts(self, addresses: Sequence[tuple[str, str]] = ()) -> list[Facts]:
        """Return the facts of the falsifiers `addresses` (contract, id), or of all, oldest first.

        Raises
        ------
        LedgerError
            The database cannot be read.
        """
        from pv.ledger.rows import select_facts

        return self._do(functools.partial(select_facts, addresses=addresses), writes=False)

    def walk(self, head: str | None = None) -> Walk:
        """Follow the chain of all entries, as :func:`pv.ledger.chain.walk` says; `head` must be passed.

        Raises
        ------
        LedgerError
            The database cannot be read.
        """
        from pv.ledger.rows import entries

        return self._do(lambda connection: walk(entries(connection), head), writes=False)

    def _do(self, work: Callable[[Connection], _Result], *, writes: bool = True) -> _Result:
        from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

        until = time.monotonic() + self._patience
        pause = 0.05
        while True:
            try:
                self._make()
                return self._transaction(work, writes=writes)
            except DBAPIError as error:
                # A server that died, was told to stop or is starting. SQLite has waited already.
                away = (
                    self._engine.dialect.name != "sqlite"
                    and (isinstance(error, OperationalError) or error.connection_invalidated)
                    and not _FOR_GOOD.search(str(error))
                )
                if not away or time.monotonic() + pause > until:
                    raise self._error(error) from error
                time.sleep(pause)
                pause = min(2 * pause, 2.0)
            except SQLAlchemyError as error:
                raise self._error(error) from error

    def _transaction(self, work: Callable[[Connection], _Result], *, writes: bool) -> _Result:
        with self._engine.connect().execution_options(pv_writes=writes) as connection:
            connection.begin()
            result = work(connection)
            connection.commit()  # only then is it so
        return result

    def _make(self) -> None:
        from pv.ledger.tables import VERSION, make_tables, version_of

        if self._made:
            return
        version = self._transaction(version_of, writes=False)
        if version is None:
            self._transaction(make_tables, writes=True)
            version = self._transaction(version_of, writes=False)
        if version != VERSION:
            raise LedgerError(
                f"the ledger {self.shown} is of version {version}, and this engine writes {VERSION}",
                remedy="move it away or name another, and fill that with `pv evidence ledger`",
            )
        self._made = True

    def _error(self, error: Exception) -> LedgerError:
        why = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
        return LedgerError(
            f"the ledger {self.shown}: {why[0]}", remedy="see that the database is there and may be written"
        )


def open_ledger(url: str | None, config: Config, *, patience: float = _PATIENCE_SECONDS) -> Ledger:
    """Open the ledger at `url`, else the one that ``pv.toml`` names, else SQLite below ``.pv/``.

    Raises
    ------
    ConfigError
        The URL is none, or what it needs is not installed.
    """
    chosen = url or config.ledger
    if chosen is None:
        make_folder(config.root / DEFAULT.parent)
        chosen = f"sqlite:///{config.root / DEFAULT}"
    elif chosen.startswith("sqlite:///") and not chosen.startswith("sqlite:////"):
        chosen = f"sqlite:///{config.root / chosen.removeprefix('sqlite:///')}"
    return Ledger(chosen, patience=patience)


def _engine(url: str) -> Engine:
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool
    except ImportError as error:
        raise ConfigError(
            "a ledger needs SQLAlchemy, which is not installed", remedy="pip install 'pv[ledger]'"
        ) from error
    scheme, _, rest = url.partition(":")
    if scheme in {"postgresql", "postgres"}:
        scheme = "postgresql+psycopg"
        # It warns on standard error of each connection that is lost; we try again, or say so.
        logging.getLogger("psycopg").addHandler(logging.NullHandler())
    if scheme not in {"sqlite", "postgresql+psycopg"}:
        raise ConfigError(
            f"a ledger is SQLite or PostgreSQL, not {scheme!r}",
            remedy="write sqlite:///FILE or postgresql://HOST/DATABASE",
        )
    try:
        # A connection a transaction: none is left open, none goes stale, and none is forked.
        engine = create_engine(f"{scheme}:{rest}", poolclass=NullPool)
    except ImportError as error:
        raise ConfigError(
            "PostgreSQL needs psycopg, which is not installed", remedy="pip install 'pv[postgresql]'"
        ) from error
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise ConfigError("the ledger's URL is none", remedy="write postgresql://HOST/DATABASE") from error
    if scheme == "sqlite":
        if engine.url.database in {None, "", ":memory:"}:
            raise ConfigError("a ledger in memory would be gone at once", remedy="write sqlite:///FILE")
        _make_sqlite_wait(engine)
    return engine


def _make_sqlite_wait(engine: Engine) -> None:
    """Have writers wait for each other, from the beginning of a transaction, and commits reach the disk."""
    from sqlalchemy import event

    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # Python's own would begin too late
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
        # EXTRA also flushes the folder once the rollback journal is gone: were it there again after a loss
        # of power, it would undo what was acknowledged.
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA foreign_keys = ON")

    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("pv_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
