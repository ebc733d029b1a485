"""Tables of names and numbers."""

from __future__ import annotations

import json
from pathlib import Path


def open_table(path: str) -> dict[str, float]:
    """Read a table of JSON."""
    table: dict[str, float] = json.loads(Path(path).read_text(encoding="utf-8"))
    return table
