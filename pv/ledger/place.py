"""Where the ledger is that nobody named."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DEFAULT"]

DEFAULT = Path(".pv", "ledger.sqlite")
"""Below the project."""
