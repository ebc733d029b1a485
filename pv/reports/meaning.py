"""How the differences between versions of contracts look to people, and to programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from pv.contract import Contract
from pv.meaning.change import Bump, Change, LineChange, bump_of
from pv.printable import printable
from pv.semantic_version import raised, suffices
from pv.unsettled import Unsettled

__all__ = ["Compared", "as_json", "text"]

_RELATIONS = {
    "weaker": "weaker",
    "stronger": "stronger",
    "equal": "asks the same",
    "incomparable": "cannot be compared",
}


@dataclasses.dataclass(frozen=True)
class Compared:
    """Two versions of one contract and their differences; a side is None where there is no such version."""

    before: Contract | None
    after: Contract | None
    changes: tuple[Change, ...]

    @property
    def bump(self) -> Bump:
        """What the changes ask of the version; of a contract that came or went, of whatever holds it."""
        if self.before is None:
            return Bump.MINOR
        return Bump.MAJOR if self.after is None else bump_of(self.changes)

    @property
    def suffices(self) -> bool:
        """Whether the version was raised as far as that; a contract that came or went has none to raise."""
        if self.before is None or self.after is None:
            return True
        return suffices(self.before.version, self.after.version, self.bump)

    def to_json(self) -> dict[str, Any]:
        """Return the stable form for programs."""
        sides = {"before": self.before, "after": self.after}
        told = {name: side and {"file": side.path, "version": side.version} for name, side in sides.items()}
        step = raised(self.before.version, self.after.version) if self.before and self.after else None
        return {
            "contract": self.name,
            **told,
            "bump": self.bump.name.lower(),
            "raised": None if step is None else step.name.lower(),
            "suffices": self.suffices,
            "changes": [change.to_json() for change in self.changes],
        }

    @property
    def name(self) -> str:
        """What the contract is called."""
        there = self.after or self.before
        return there.stem if there else ""


def text(every: Sequence[Compared], records: Sequence[Unsettled]) -> Iterator[str]:
    """Yield each contract that differs, what its version should be, and the records that it unsettles."""
    same, blank = 0, True
    for one in every:
        if one.before and one.after and not one.changes and one.before.version == one.after.version:
            same += 1
            continue
        yield from _contract(one)
        blank = bool(one.before and one.after)
        if blank:
            yield ""
    if not blank:
        yield ""
    if same:
        yield f"{same} contract(s) without a difference in meaning"
    if records:
        yield f"{len(records)} record(s) of evidence are of no clause any more, or rest on such:"
        for record in records:
            yield printable(f"  {record.record}: {record.address}: {record.why}")
    else:
        yield "no record of evidence is unsettled"


def _contract(one: Compared) -> Iterator[str]:
    if not (one.before and one.after):
        word = "removed (major)" if one.before else "added (minor)"
        yield printable(f"{one.name}: {word}")
        return
    then, now = one.before.version, one.after.version
    yield printable(f"{one.name}: {then if then == now else f'{then} → {now}'}")
    for change in sorted(one.changes, key=lambda change: -change.bump):
        asks = change.bump.name.lower() if change.bump else "-"
        yield printable(f"  {asks:<5}  {change.effect:<12}  {change.part}: {change.what}")
        yield from (printable(f"{'':<9}{line}") for each in change.lines for line in _lines(each))
    wanted, step = one.bump, raised(then, now)
    asked = f"asks for a {wanted.name.lower()} version" if wanted else "asks for no other version"
    if then == now:
        done = "it was not raised"
    elif step is None:
        done = f"{then} → {now} raises none that pv can read"
    else:
        done = f"{then} → {now} is a {step.name.lower()} one" if step else f"{then} → {now} is none"
    yield printable(f"  {asked}; {done}{'' if one.suffices else ': not enough'}")


def _lines(line: LineChange) -> Iterator[str]:
    if line.before is not None:
        yield f"- {line.before}" + ("" if line.after is not None else f"    ({_RELATIONS[line.relation]})")
    if line.after is not None:
        yield f"+ {line.after}    ({_RELATIONS[line.relation]})"


def as_json(every: Sequence[Compared], records: Sequence[Unsettled]) -> dict[str, Any]:
    """Return the stable form of ``--format json``."""
    return {
        "bump": max((one.bump for one in every), default=Bump.NONE).name.lower(),
        "suffices": all(one.suffices for one in every),
        "contracts": [one.to_json() for one in every],
        "unsettled": [record.to_json() for record in records],
    }
