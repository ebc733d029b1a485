"""A contract's version and changelog: the next version, and one entry in the form that the contract has.

Four forms are known of ``changelog``, in ``metadata`` or at the top: a list of texts, a list of mappings
(``{version, date, changes}`` and the like, or ``{version: …}``), a mapping from version to a text, a list
of texts or such a mapping, and none at all, for which a list of texts is begun.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pv.document import Document
from pv.edit import Add, Edit, Put
from pv.errors import Location, PvError
from pv.exits import Exit

__all__ = ["Raised", "VersionError", "bump_edits", "next_version"]

Raised = Literal["major", "minor", "patch"]
_CORE = r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
_VERSION = re.compile(_CORE)
# https://semver.org/#backusnaur-form-grammar-for-valid-semver-versions
_EXTENDED = re.compile(rf"{_CORE}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
_LEADING = re.compile(rf"\W*v?({_CORE})\b")
_TEXTS = ("changes", "change", "summary", "description", "notes", "note", "message", "text", "entry")
_VERSIONS = ("version", "v", "release")
_DATES = ("date", "released", "on")


class VersionError(PvError):
    """A version cannot be raised, or a changelog has a form that we do not know."""

    exit = Exit.REJECTED


def next_version(version: str, where: Location, number: Raised = "patch") -> str:
    """Return the version after `version` with that `number` raised; before 1.0.0, a minor one for a major.

    Raises
    ------
    VersionError
        It is not three numbers (https://semver.org); after a pre-release or a build only its author knows.
    """
    found = _VERSION.fullmatch(version)
    if not found:
        after = "what follows a pre-release or a build is its author's to say"
        why = after if _EXTENDED.fullmatch(version) else "it is no semantic version"
        raise VersionError(
            f"the version {version!r} cannot be raised: {why}",
            where=where,
            remedy='Write three numbers, such as "1.0.0", or run without --bump and raise it by hand.',
            code="BUMP-001",
        )
    numbers = [int(number) for number in found.groups()]
    place = {"major": 0 if numbers[0] else 1, "minor": 1, "patch": 2}[number]
    raised = [*numbers[:place], numbers[place] + 1, *[0] * (2 - place)]
    return ".".join(map(str, raised))


def bump_edits(document: Document, version: str, day: dt.date, text: str) -> list[Edit]:
    """Return the edits that set `version`, log `text` for it, and set ``metadata.updated`` if it is there.

    Raises
    ------
    VersionError
        The changelog has none of the forms that we know.
    """
    metadata = document.value["metadata"]
    edits: list[Edit] = [Put(("metadata", "version"), version)]
    if isinstance(metadata.get("updated"), str):
        edits.append(Put(("metadata", "updated"), day.isoformat()))
    top = "changelog" in document.value and "changelog" not in metadata
    path = ("changelog",) if top else ("metadata", "changelog")
    holder = document.value if top else metadata
    line = f"{version} ({day.isoformat()}): {text}"
    if "changelog" not in holder:
        edits.append(Add(("metadata",), [line], "changelog"))
        return edits
    added = _addition(holder["changelog"], path, version, day, text)
    if added is None or added.key in holder["changelog"]:
        there = "already has an entry for" if added else "has no form in which we could log"
        raise VersionError(
            f"the changelog {there} {version}",
            where=document.where(*path),
            remedy="Make it a list of texts, of mappings, or a mapping by version; or run without --bump.",
            code="BUMP-002",
        )
    return [*edits, added]


def _addition(log: Any, path: tuple[str | int, ...], version: str, day: dt.date, text: str) -> Add | None:
    """Return the new entry in the form of the others; None where they have no form that we know."""
    if isinstance(log, dict):
        newest_first = _newest_first(log)
        values = list(log.values()) or [""]
        under = _under(values[0 if newest_first else -1], day, text)
        return Add(path, under, _like(log, version), first=newest_first)
    if not isinstance(log, list):
        return None
    if all(isinstance(entry, str) for entry in log):
        return Add(path, f"{version} ({day.isoformat()}): {text}", first=_newest_first(log))
    if not all(isinstance(entry, dict) and entry for entry in log):
        return None
    if all(len(entry) == 1 and _LEADING.fullmatch(next(iter(entry))) for entry in log):
        newest_first = _newest_first(next(iter(entry)) for entry in log)
        (template,) = log[0 if newest_first else -1].values()
        return Add(path, {_like(log[0], version): _under(template, day, text)}, first=newest_first)
    name = next((key for key in log[0] if key in _VERSIONS), "version")
    newest_first = _newest_first(entry.get(name) for entry in log)
    template = {name: "", **log[0]} if name not in log[0] else log[0 if newest_first else -1]
    return Add(path, _entry(template, {name: version}, day, text), first=newest_first)


def _entry(template: Mapping[str, Any], named: Mapping[str, str], day: dt.date, text: str) -> dict[str, Any]:
    """Return an entry with the keys of `template`, in their order, as far as we know what they mean."""
    told = next((key for key in template if key in _TEXTS), "changes")
    known: dict[str, Any] = {**named, **dict.fromkeys(_DATES, day.isoformat())}
    known[told] = [text] if isinstance(template.get(told), list) else text
    return {**{key: known[key] for key in template if key in known}, told: known[told]}


def _under(template: Any, day: dt.date, text: str) -> Any:
    """Return what stands under a version, in the form of `template`."""
    if isinstance(template, dict):
        return _entry(template, {}, day, text)
    line = f"{day.isoformat()}: {text}"
    return [line] if isinstance(template, list) else line


def _like(named: Iterable[str], version: str) -> str:
    return f"v{version}" if next(iter(named), "").startswith("v") else version


def _newest_first(versions: Iterable[Any]) -> bool:
    """Tell the order of a changelog from its first and last version; newest first where they do not say."""
    known = [
        tuple(map(int, found.groups()[1:]))
        for version in versions
        if isinstance(version, str) and (found := _LEADING.match(version))
    ]
    return len(known) < 2 or known[0] >= known[-1]
