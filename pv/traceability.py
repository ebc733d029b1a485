"""The chain from a source to evidence, link by link: what refers to what, and how much each link bears.

source → equation → obligation → falsifier → check → evidence; and beside it harness → obligation,
obligation → proof and equation → implementation, which bear nothing that pv could run. A link is as strong
as what was seen of it: ``declared`` (somebody says so), ``resolves`` (what it names is there), ``executed``
(it ran once, and the record of that verifies) or ``verified`` (the record is of the tree as it is).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from pv.contract import Contract, Equation, Obligation
from pv.errors import Location
from pv.finding import Finding

__all__ = [
    "KINDS",
    "STRENGTHS",
    "Chain",
    "Kind",
    "Link",
    "Reach",
    "Strength",
    "applies_to",
    "reaches",
    "sources_of",
]

Strength = Literal["broken", "declared", "resolves", "executed", "verified"]
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
"""Weakest first."""

Kind = Literal[
    "source → equation",
    "equation → obligation",
    "obligation → falsifier",
    "falsifier → check",
    "check → evidence",
    "harness → obligation",
    "obligation → proof",
    "equation → implementation",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order of the chain; what stands beside it comes last."""

_EVERYTHING = frozenset({"all", "scalar", "simd", "converter"})
"""What an obligation may apply to besides an equation: every one, on one path of the code or on all."""
_CITING = ("references", "reference", "sources", "source", "citations", "citation", "cites")


@dataclasses.dataclass(frozen=True)
class Link:
    """One link: what refers to what, and where it says so. `end` is empty where it leads nowhere."""

    kind: Kind
    start: str
    end: str
    strength: Strength
    where: Location


@dataclasses.dataclass(frozen=True)
class Reach:
    """How far the chain of an obligation holds: as the best of its falsifiers, unless one fails it."""

    obligation: Obligation
    strength: Strength
    equations: tuple[str, ...]
    falsifiers: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Chain:
    """All links of one contract, what is wrong with them, and how far each obligation's chain holds."""

    contract: Contract
    links: tuple[Link, ...]
    reaches: tuple[Reach, ...]
    findings: tuple[Finding, ...]


def sources_of(equation: Equation) -> Iterator[tuple[str, Location]]:
    """Yield the sources that an equation cites by itself, each with its place."""
    for key in _CITING:
        value = equation.raw.get(key)
        if isinstance(value, str):
            yield value, equation.value_where(key)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, str):
                    yield item, equation.value_where(key, index)


def applies_to(obligation: Obligation) -> str | None:
    """Return the equation that `obligation` names, which its contract need not have; None: all of them."""
    to = obligation.applies_to
    return None if to is None or to.strip() in _EVERYTHING else to.strip()


def reaches(contract: Contract, links: Sequence[Link]) -> Iterator[Reach]:
    """Say of each obligation that applies how far its chain holds.

    One that no falsifier covers is broken, or ``declared`` where it is said to be proved, and nothing is
    missing of what it names: pv proves nothing.
    """
    unproved = {
        link.start for link in links if link.kind == "obligation → proof" and link.strength == "broken"
    }
    checks = {link.start: link.strength for link in links if link.kind == "falsifier → check"}
    evidence = {link.start: link for link in links if link.kind == "check → evidence"}
    covers: dict[str, list[str]] = {}
    for falsifier in contract.falsifiers:
        for name in () if falsifier.excluded else falsifier.covers:
            covers.setdefault(name, []).append(falsifier.id)
    listed = list(dict.fromkeys(equation.name for equation in contract.equations))
    for index, obligation in enumerate(contract.obligations):
        if obligation.not_applicable:
            continue
        covering = tuple(dict.fromkeys(covers.get(obligation.id or "", ())))
        to = applies_to(obligation)
        equations = tuple(name for name in listed if to in {None, name})
        strength = _best(_of(name, checks, evidence) for name in covering)
        start = obligation.id or f"proof obligation {index + 1}"
        if not covering and obligation.proved and start not in unproved:
            strength = "declared"
        yield Reach(obligation, strength, equations, covering)


def _of(name: str, checks: dict[str, Strength], evidence: dict[str, Link]) -> Strength | None:
    """Return how far a falsifier holds; None where its evidence fails it, or is not to be believed."""
    link = evidence.get(name)
    if link is not None and link.end:
        return None if link.strength == "broken" else link.strength
    return "declared" if checks.get(name, "broken") == "broken" else "resolves"


def _best(strengths: Iterable[Strength | None]) -> Strength:
    each = list(strengths)
    known = [strength for strength in each if strength is not None]
    if not known or len(known) < len(each):
        return "broken"
    return max(known, key=STRENGTHS.index)
