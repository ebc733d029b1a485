"""One spelling of a JSON value, so that equal values have equal digests."""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["canonical", "digest_of"]


def canonical(value: Any) -> bytes:
    """Spell a JSON value: keys sorted, no blanks, UTF-8.

    Raises
    ------
    ValueError
        It holds NaN or an infinity, which JSON cannot spell.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest_of(value: Any) -> str:
    """Return the sha256 of the canonical spelling, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()
