"""The names of the site's pages, and links to them: plain, unique, and the same every time."""

from __future__ import annotations

import functools
import hashlib
import re

__all__ = ["contract_link", "falsifier_link", "page_name", "record_link"]

_LONGEST = 100
"""Characters of a record's name; file systems take 255 for all of it."""


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


def record_link(address: str, name: str) -> str:
    """Return the way from the site's folder to its copy of a record's file, which is called `name`.

    All copies lie in one folder: to make thousands takes longer than to write the pages.
    """
    plain = re.sub(r"[^A-Za-z0-9._+@-]+", "-", name)
    if plain != name or len(plain) > _LONGEST:
        digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
        plain = f"{plain[:_LONGEST]}-{digest}.json"
    return f"records/{page_name(address).removesuffix('.html')}-{plain}"
