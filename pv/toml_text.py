"""TOML out of files that nobody vouches for: a table, or one kind of error."""

from __future__ import annotations

import tomllib
from typing import Any

__all__ = ["parse_toml"]


def parse_toml(data: bytes) -> dict[str, Any]:
    """Return the table that `data` spells.

    Raises
    ------
    ValueError
        It is not UTF-8, no TOML, nested too deeply, or has a number of thousands of digits. The standard
        library lets four types of error out.
    """
    try:
        return tomllib.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("values are nested too deeply") from error
