"""One difference in meaning, and what it asks of the version."""

from __future__ import annotations

import dataclasses
import enum
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from pv.differences import shorten
from pv.errors import Location

__all__ = [
    "REVERSED",
    "Bump",
    "Change",
    "Effect",
    "LineChange",
    "Relation",
    "bump_of",
    "claims",
    "one",
    "paired",
    "prose",
    "single",
]

Relation = Literal["equal", "weaker", "stronger", "incomparable"]
"""What the second of two rules is beside the first; ``incomparable`` also where nobody can tell."""

Effect = Literal["removed", "weakened", "changed", "added", "strengthened", "reworded", "noted"]


class Bump(enum.IntEnum):
    """What of a version a change asks to raise, least first."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


_BUMPS: Mapping[Effect, Bump] = {
    "removed": Bump.MAJOR,
    "weakened": Bump.MAJOR,
    "changed": Bump.MAJOR,
    "added": Bump.MINOR,
    "strengthened": Bump.MINOR,
    "reworded": Bump.PATCH,
    "noted": Bump.NONE,
}
"""Whoever relied on a claim loses something: major. They gain: minor. Nothing but words: patch."""

REVERSED: Mapping[Effect, Effect] = {
    "removed": "added",
    "added": "removed",
    "weakened": "strengthened",
    "strengthened": "weakened",
    "changed": "changed",
    "reworded": "reworded",
    "noted": "noted",
}
"""What the effect is where the two versions change places."""


@dataclasses.dataclass(frozen=True)
class LineChange:
    """One line of a rule that came, went or took the place of another, and what the newer is beside it."""

    before: str | None
    after: str | None
    relation: Relation


@dataclasses.dataclass(frozen=True)
class Change:
    """One difference: in which part of the contract, in what of it, in words, and what that means.

    `where` is in the newer version; of what is gone, in the older.
    """

    part: str
    key: str
    effect: Effect
    what: str
    where: Location
    lines: tuple[LineChange, ...] = ()

    @property
    def bump(self) -> Bump:
        """What the change asks of the version by itself."""
        return _BUMPS[self.effect]

    def to_json(self) -> dict[str, Any]:
        """Return the stable form for programs."""
        return {
            "part": self.part,
            "key": self.key,
            "effect": self.effect,
            "bump": self.bump.name.lower(),
            "what": self.what,
            "lines": [dataclasses.asdict(line) for line in self.lines],
            "file": self.where.path,
            "line": self.where.line,
            "column": self.where.column,
        }


def bump_of(changes: Iterable[Change]) -> Bump:
    """Return what `changes` ask together: as much as the one that asks most."""
    return max((change.bump for change in changes), default=Bump.NONE)


Part = TypeVar("Part")


def paired(
    before: Iterable[Part],
    after: Iterable[Part],
    same: Callable[[Part, Part], bool],
    by: Callable[[Part], Hashable] = lambda _: None,
) -> tuple[list[tuple[Part, Part]], list[Part], list[Part]]:
    """Pair each old part with the first new one left that is the `same`; return also what has no partner.

    Only parts that are equal `by` something are compared: there may be thousands.
    """
    new = [*after]
    alike: dict[Hashable, list[int]] = {}
    for index, one in enumerate(new):
        alike.setdefault(by(one), []).append(index)
    pairs: list[tuple[Part, Part]] = []
    old, taken = [], set()
    for one in before:
        left = alike.get(by(one), [])
        place = next((index for index in left if same(one, new[index])), None)
        if place is None:
            old.append(one)
        else:
            left.remove(place)
            taken.add(place)
            pairs.append((one, new[place]))
    return pairs, old, [one for index, one in enumerate(new) if index not in taken]


def prose(value: Any) -> Any:
    """Return `value` with single blanks in its texts, and keys in order: neither says anything."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, dict):
        return {key: prose(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [prose(part) for part in value]
    return value


def one(key: str, before: Any, after: Any) -> str:
    """Say in words that `key` has another value; None stands for what is not there."""
    if before is None:
        return f"{key} added: {shorten(str(after), '')[0]}"
    if after is None:
        return f"{key} removed (was {shorten(str(before), '')[0]})"
    old, new = shorten(str(before), str(after))
    return f"{key} {old} → {new}"


def single(
    part: str, key: str, before: Any, after: Any, where: Location, effect: Effect = "changed"
) -> Iterator[Change]:
    """Yield the change of one value, if it is another; how blanks are folded makes no difference."""
    old, new = prose(before), prose(after)
    if repr(old) != repr(new):
        yield Change(part, key, effect, one(key, old, new), where)


def claims(
    part: str,
    key: str,
    before: Sequence[Any],
    after: Sequence[Any],
    where: Location,
    *,
    gained: Effect = "added",
) -> Iterator[Change]:
    """Yield what came and went of a list in which each entry claims something; its order says nothing."""
    old, new = (Counter(str(prose(entry)) for entry in side) for side in (before, after))
    for entry in sorted((old - new).elements()):
        yield Change(part, key, REVERSED[gained], f"{key}: without {shorten(entry, '')[0]}", where)
    for entry in sorted((new - old).elements()):
        yield Change(part, key, gained, f"{key}: also {shorten(entry, '')[0]}", where)
