"""The chain over a ledger: what each entry is, and all that was before it, in one digest.

The link of an entry is the sha256 of the link before it and of its own content (Haber and Stornetta 1991,
"How to time-stamp a digital document", section 5.1). Whoever has noted the last link, the head, can tell
later that no entry up to there was edited, moved or taken out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from pv.canonical import digest_of
from pv.record_facts import Facts

__all__ = ["FIRST_LINK", "Broken", "Entry", "Walk", "chained", "content_digest", "link_of", "walk"]

FIRST_LINK = "0" * 64
"""What stands for the link before the first entry."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A row of the ledger, and its place in the chain, from 1."""

    position: int
    link: str
    facts: Facts


@dataclasses.dataclass(frozen=True)
class Broken:
    """The first place where a chain does not hold: ``removed``, ``moved``, ``edited`` or ``truncated``."""

    position: int
    reason: str
    why: str


@dataclasses.dataclass(frozen=True)
class Walk:
    """What a walk along the chain found: how many entries hold, the last link of these, and what broke."""

    entries: int
    head: str
    broken: Broken | None


def content_digest(facts: Facts) -> str:
    """Return the digest of all that an entry says; zeros have no sign, which not every database keeps."""
    stated = dataclasses.asdict(facts)
    stated["seconds"] = float(facts.seconds) + 0.0
    stated["dirty"] = bool(facts.dirty)
    for one in stated["compared"]:
        for key in ("value", "margin", "relative"):
            one[key] = None if one[key] is None else float(one[key]) + 0.0
    return digest_of(stated)


def link_of(before: str, facts: Facts) -> str:
    """Return the link of an entry that comes after the link `before`."""
    return digest_of([before, content_digest(facts)])


def chained(position: int, link: str, facts: Iterable[Facts]) -> Iterator[Entry]:
    """Yield the entries that `facts` become after the one at `position`, whose link is `link`."""
    for place, one in enumerate(facts, position + 1):
        link = link_of(link, one)
        yield Entry(place, link, one)


def walk(entries: Iterable[Entry], head: str | None = None) -> Walk:
    """Follow the chain of `entries`, in the order of their positions, to the first place that does not hold.

    With `head`, a link that was noted before, it must be passed on the way: otherwise entries at the end
    were taken out, or everything was chained anew.
    """
    position, link = 0, FIRST_LINK
    places = {FIRST_LINK: 0}
    coming = iter(entries)
    for entry in coming:
        if entry.position != position + 1:
            why = f"after entry {position} comes entry {entry.position}"
            return Walk(position, link, Broken(position + 1, "removed", why))
        if not _follows(link, entry):
            places |= {other.link: other.position for other in coming}
            return Walk(position, link, _mismatch(entry, places))
        position, link = entry.position, entry.link
        places[link] = position
    if head is not None and head not in places:
        why = f"the chain ends after entry {position} without the head {head[:12]}… that was noted"
        return Walk(position, link, Broken(position + 1, "truncated", why))
    return Walk(position, link, None)


def _follows(link: str, entry: Entry) -> bool:
    try:
        return link_of(link, entry.facts) == entry.link
    except (TypeError, ValueError):  # an edited column holds what is no number
        return False


def _mismatch(entry: Entry, places: Mapping[str, int]) -> Broken:
    """Say why `entry` does not follow; `places` has every link of the ledger but its own, and where it is."""
    named = f"entry {entry.position}, {entry.facts.address} ({entry.facts.digest[:12]}…),"
    for before, place in places.items():
        if _follows(before, entry):
            return Broken(entry.position, "moved", f"{named} was chained after what is now entry {place}")
    why = f"{named} is not what was chained there: it was edited, or is another, or one before it is gone"
    return Broken(entry.position, "edited", why)
