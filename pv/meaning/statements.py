"""In what equations, obligations and harnesses differ: what is stated, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.contract import SPELLINGS, Equation, Harness, Obligation
from pv.meaning.change import REVERSED, Change, Effect, claims, paired, prose, single

__all__ = ["WORDS", "equation_changes", "harness_changes", "named", "obligation_changes", "obligation_pairs"]

_EQUATION_KEYS = frozenset(
    [
        "id",
        "formula",
        "domain",
        "codomain",
        "invariants",
        "preconditions",
        "postconditions",
        "assumes",
        "guarantees",
        "float_tolerance",
        "lean_theorem",
    ]
)
_OBLIGATION_KEYS = frozenset(
    {
        *(spelling for name in ("property", "formal") for spelling in SPELLINGS[name]),
        *("id", "type", "tolerance", "applies_to", "requires", "applies_to_phase", "parent_contract"),
        *("not_applicable", "na_reason", "na_owner", "lean", "exhaustive"),
    }
)
_HARNESS_KEYS = frozenset({"id", "obligation", "property", "bound", "strategy", "solver", "harness"})
WORDS = frozenset(
    [
        "name",
        "title",
        "description",
        "note",
        "notes",
        "comment",
        "reference",
        "references",
        "source",
        "sources",
        "citation",
        "citations",
        "cites",
        "actually_verified",
    ]
)
"""Keys that claim nothing."""


def equation_changes(before: Equation, after: Equation) -> Iterator[Change]:
    """Yield in what an equation differs. What it presumes makes it weaker, what it promises stronger."""
    part, where, old, new = f"equation {after.name}", after.where, before.raw, after.raw
    for key in ("formula", "domain", "codomain"):
        yield from single(part, key, old.get(key) or None, new.get(key) or None, after.value_where(key))
    for key in ("invariants", "postconditions"):
        yield from claims(part, key, old.get(key) or (), new.get(key) or (), where)
    yield from claims(
        part, "preconditions", old.get("preconditions") or (), new.get("preconditions") or (), where,
        gained="weakened",
    )  # fmt: skip
    for key in ("assumes", "guarantees"):
        yield from single(part, key, old.get(key), new.get(key), where)
    yield from _tolerance(
        part, "float_tolerance", old.get("float_tolerance"), new.get("float_tolerance"), after
    )
    yield from single(
        part, "lean_theorem", old.get("lean_theorem"), new.get("lean_theorem"), where, "reworded"
    )
    yield from _others(part, before.raw, after.raw, _EQUATION_KEYS, after)


def obligation_pairs(
    before: Sequence[Obligation], after: Sequence[Obligation]
) -> Iterator[tuple[Obligation | None, Obligation | None]]:
    """Yield old and new by id; those that are left by what they state, in their order."""
    same, old, new = paired(before, after, lambda one, _: bool(one.id), lambda one: one.id or id(one))
    # Two that have ids, and not the same, are two.
    alike, gone, come = paired(old, new, lambda one, other: not (one.id and other.id), _property)
    yield from (*same, *alike)
    yield from ((one, None) for one in gone)
    yield from ((None, other) for other in come)


def _property(obligation: Obligation) -> str:
    return " ".join(obligation.property.split())


def named(obligation: Obligation) -> str:
    """Return what messages call an obligation: its id, else what it states."""
    words = _property(obligation)
    return obligation.id or (words if len(words) <= 60 else f"{words[:60]}…")


def obligation_changes(before: Obligation, after: Obligation) -> Iterator[Change]:
    """Yield in what an obligation differs. Its property is but words where its formal statement stays."""
    part, where = f"obligation {min(filter(None, (before.id, after.id)), default=named(after))}", after.where
    yield from single(part, "id", before.id, after.id, where, "reworded")
    yield from single(part, "type", before.type, after.type, after.value_where("type"))
    formal = prose(after.formal)
    words: Effect = "reworded" if formal and formal == prose(before.formal) else "changed"
    yield from single(part, "property", before.property, after.property, after.value_where("property"), words)
    yield from single(part, "formal", before.formal, after.formal, after.value_where("formal"))
    yield from _tolerance(part, "tolerance", before.tolerance, after.tolerance, after)
    yield from _applies(part, before, after)
    for key in ("requires", "applies_to_phase", "parent_contract"):
        yield from single(part, key, getattr(before, key), getattr(after, key), after.value_where(key))
    for key, asks_more in (("not_applicable", False), ("exhaustive", True)):
        if getattr(before, key) != getattr(after, key):
            effect: Effect = "strengthened" if getattr(after, key) is asks_more else "weakened"
            yield from single(part, key, getattr(before, key), getattr(after, key), where, effect)
    for key in ("na_reason", "na_owner"):
        yield from single(part, key, getattr(before, key), getattr(after, key), where, "reworded")
    # Where nothing measures it, that it is proved is all that bears it.
    proof: Effect = "reworded" if before.proved == after.proved else "strengthened"
    proof = REVERSED[proof] if before.proved else proof
    yield from single(part, "lean", before.raw.get("lean"), after.raw.get("lean"), where, proof)
    yield from _others(part, before.raw, after.raw, _OBLIGATION_KEYS, after)


def _applies(part: str, before: Obligation, after: Obligation) -> Iterator[Change]:
    old, new = ((o.applies_to or "all").strip() for o in (before, after))
    effect: Effect = "weakened" if old == "all" else "strengthened" if new == "all" else "changed"
    yield from single(part, "applies_to", old, new, after.value_where("applies_to"), effect)


def harness_changes(before: Harness, after: Harness) -> Iterator[Change]:
    """Yield in what a harness differs; a higher bound shows more."""
    part, where = f"harness {after.id}", after.where
    for key in ("obligation", "strategy", "property"):
        yield from single(part, key, before.raw.get(key), after.raw.get(key), after.value_where(key))
    if before.bound is None or after.bound is None:
        yield from single(part, "bound", before.bound, after.bound, where)
    else:
        effect: Effect = "strengthened" if after.bound > before.bound else "weakened"
        yield from single(part, "bound", before.bound, after.bound, after.value_where("bound"), effect)
    for key in ("solver", "harness"):
        yield from single(part, key, before.raw.get(key), after.raw.get(key), where, "reworded")
    yield from _others(part, before.raw, after.raw, _HARNESS_KEYS, after)


def _tolerance(
    part: str, key: str, before: float | None, after: float | None, of: Equation | Obligation
) -> Iterator[Change]:
    """Yield a change of how far the truth may be missed: a tolerance where none was is another claim."""
    if before is None or after is None:
        yield from single(part, key, before, after, of.value_where(key))
    elif before != after:
        effect: Effect = "weakened" if after > before else REVERSED["weakened"]
        yield from single(part, key, before, after, of.value_where(key), effect)


def _others(
    part: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    known: frozenset[str],
    of: Equation | Obligation | Harness,
) -> Iterator[Change]:
    """Yield the keys that the engine does not know: people may state a part of the claim there."""
    for key in sorted({*before, *after} - known):
        effect: Effect = "reworded" if key in WORDS else "changed"
        yield from single(part, key, before.get(key), after.get(key), of.value_where(key), effect)
