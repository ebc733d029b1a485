"""Markers of a falsifier: from its tags and its contract's, and from what it needs."""

from __future__ import annotations

import re

import pytest

from pv.contract import Contract, Falsifier
from pv.pytest_plugin import MARKERS, STATED

__all__ = ["marker_name", "register", "tags_of"]

_ACTS = frozenset(
    {"skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings", "tryfirst", "trylast"}
)
_OURS = pytest.StashKey[set[str]]()
_DESCRIBED = re.compile(r"\s*([^\s:(]+)")


def tags_of(contract: Contract, falsifier: Falsifier) -> tuple[str, ...]:
    """Return the tags of `falsifier` and of its contract's metadata, each once."""
    stated = (falsifier.raw.get("tags"), contract.metadata.get("tags"))
    listed = [tag for tags in stated for tag in (tags if isinstance(tags, list) else [tags])]
    return tuple(dict.fromkeys(tag for tag in listed if isinstance(tag, str)))


def marker_name(tag: str) -> str:
    """Return `tag` as a word that ``-m`` takes; empty where nothing of it is left."""
    return re.sub(r"\W+", "_", tag).strip("_")


def register(contract: Contract, falsifier: Falsifier, config: pytest.Config) -> list[str]:
    """Return the markers of `falsifier`, each known to `config`, so that ``--strict-markers`` takes them.

    A tag never becomes a marker by which pytest or a plugin does something, such as ``xfail`` or ``flaky``:
    it is then ``tag_xfail``. Only what the project's own settings name is known to be there for selection.
    """
    known = {_first_word(line) for line in config.getini("markers")}
    stated = {_first_word(line) for line in config.stash.get(STATED, ())}
    found = ["contract"]
    found += ["gpu"] if any(needs.gpu for needs in falsifier.needs.values()) else []
    found += ["ship_blocking"] if falsifier.ship_blocking else []
    modules = sorted({name for needs in falsifier.needs.values() for name in needs.modules})
    ours = config.stash.setdefault(_OURS, set(MARKERS))
    wanted = [f"needs_{name}" for name in modules]
    for name in filter(None, map(marker_name, tags_of(contract, falsifier))):
        acts = name in _ACTS or (name in known and name not in stated | ours)
        wanted.append(f"tag_{name}" if acts else name)
    for name in wanted:
        if name not in known:
            config.addinivalue_line("markers", f"{name}: of falsifiers (pv)")
            known.add(name)
            ours.add(name)
    return list(dict.fromkeys(found + wanted))


def _first_word(line: str) -> str:
    match = _DESCRIBED.match(line)
    return match[1] if match else ""
