"""The ledger: the facts of every verified record in a database, for queries. Append-only.

SQLite by default, PostgreSQL for a fleet that writes together. It is an index: all of it can be made again
from the folder, git and the store. Its entries are chained (:mod:`pv.ledger.chain`): what is edited, moved or
taken out can be seen.
"""

from __future__ import annotations

from pv.ledger.ledger import Ledger, LedgerError, open_ledger

__all__ = ["Ledger", "LedgerError", "open_ledger"]
