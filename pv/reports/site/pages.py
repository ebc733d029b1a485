"""The names of the site's pages, and links to them: plain, unique, and the same every time."""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from urllib.parse import quote

__all__ = ["contract_link", "falsifier_link", "page_name", "record_link"]


@functools.lru_cache(maxsize=1 << 16)
def page_name(address: str) -> str:
    """Return the name of a page: an address or a contract's stem, made safe for files and links."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", address)[:120]
    # Two addresses must not share a page, whatever was taken from them, and on whatever file system.
    return f"{plain}-{hashlib.sha256(address.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}.html"


def falsifier_link(address: str) -> str:
    """Return the way from the site's folder to the page of the falsifier ``contract#ID``."""
    return f"f/{page_name(address)}"


def contract_link(stem: str) -> str:
    """Return the way from the site's folder to the page of a contract."""
    return f"c/{page_name(stem)}"


def record_link(path: Path, evidence: Path) -> str:
    """Return the way from the site's folder to its copy of a record, as a link spells it."""
    return quote(f"records/{path.relative_to(evidence).as_posix()}", errors="surrogateescape")
