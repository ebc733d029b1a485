"""In what two versions of a contract differ in meaning, part by part.

Layout, comments, the order of keys, and spellings that mean the same make no difference. What a claim says
in a formula, a rule or a number is compared; of words alone nobody can tell whether they mean the same, so
that they count as another claim where nothing else states it.
"""

from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract, Hypothesis
from pv.errors import Location
from pv.meaning.change import Change, Effect, claims, paired, prose, single
from pv.meaning.falsifiers import added_falsifier, falsifier_changes, falsifier_pairs, removed_falsifier
from pv.meaning.statements import (
    WORDS,
    equation_changes,
    harness_changes,
    named,
    obligation_changes,
    obligation_pairs,
)

__all__ = ["compare_contracts"]

_TYPED = frozenset(
    [
        "metadata",
        "equations",
        "proof_obligations",
        "falsification_tests",
        "kani_harnesses",
        "hypotheses",
        "qa_gate",
    ]
)
_WORDS = frozenset(
    [
        "version",
        "status",
        "changelog",
        "summary",
        "motivation",
        "five_whys",
        "contract_id",
        "id",
        "name",
        "title",
        "description",
        "scope",
        "implementation_plan",
        "peer_contracts",
        "verification_summary",
        "updated",
    ]
)
"""Blocks that claim nothing which is not stated elsewhere."""
_LEVELS = {
    "enforcement_level": ("basic", "standard", "strict", "proven"),
    "locked_level": ("L1", "L2", "L3", "L4", "L5"),
}
"""Key of the metadata → what may not be fallen below, lowest first."""
_METADATA = frozenset({"version", "kind", "registry", "depends_on", "references", "changelog", *_LEVELS})


def compare_contracts(before: Contract, after: Contract) -> tuple[Change, ...]:
    """Return every difference in meaning, in the order of the contract; the version itself is none."""
    return tuple(_changes(before, after))


def _changes(before: Contract, after: Contract) -> Iterator[Change]:
    yield from _metadata(before, after)
    yield from _equations(before, after)
    for one, other in obligation_pairs(before.obligations, after.obligations):
        if one and other:
            yield from obligation_changes(one, other)
        elif there := one or other:
            yield _whole(f"obligation {named(there)}", "added" if other else "removed", there.where)
    for old, new in falsifier_pairs(before.falsifiers, after.falsifiers):
        if old and new:
            yield from falsifier_changes(old, new)
        elif new:
            yield added_falsifier(new)
        elif old:
            yield removed_falsifier(old)
    yield from _harnesses(before, after)
    yield from _hypotheses(before, after)
    yield from _qa_gate(before, after)
    yield from _blocks(before, after)


def _whole(part: str, effect: Effect, where: Location) -> Change:
    return Change(part, "", effect, "removed" if effect == "removed" else "added", where)


def _metadata(before: Contract, after: Contract) -> Iterator[Change]:
    part, where = "metadata", after.document.where("metadata")
    yield from single(part, "kind", before.kind, after.kind, where)
    yield from claims(part, "depends_on", before.depends_on, after.depends_on, where)
    for key, levels in _LEVELS.items():
        old, new = (side.metadata.get(key) for side in (before, after))
        if old != new:
            known = (None, *levels)
            effect: Effect = "changed"
            if old in known and new in known:
                effect = "strengthened" if known.index(new) > known.index(old) else "weakened"
            yield from single(part, key, old, new, where, effect)
    lost, gained = ([*map(prose, side.references)] for side in (before, after))
    for reference in sorted({*lost} ^ {*gained}):
        word = "also cites" if reference in gained else "cites no more"
        yield Change(part, "references", "reworded", f"{word} {reference}", where)
    if prose(before.metadata.get("changelog")) != prose(after.metadata.get("changelog")):
        yield Change(part, "changelog", "reworded", "changelog has other entries", where)
    for key in sorted({*before.metadata, *after.metadata} - _METADATA):
        yield from single(part, key, before.metadata.get(key), after.metadata.get(key), where, "reworded")


def _equations(before: Contract, after: Contract) -> Iterator[Change]:
    old, new = ({equation.name: equation for equation in side.equations} for side in (before, after))
    for name, equation in old.items():
        if name in new:
            yield from equation_changes(equation, new[name])
        else:
            yield _whole(f"equation {name}", "removed", equation.where)
    for name, equation in new.items():
        if name not in old:
            yield _whole(f"equation {name}", "added", equation.where)


def _harnesses(before: Contract, after: Contract) -> Iterator[Change]:
    same, gone, come = paired(before.kani, after.kani, lambda *_: True, lambda one: one.id)
    for one, other in same:
        yield from harness_changes(one, other)
    yield from (_whole(f"harness {each.id}", "removed", each.where) for each in gone)
    yield from (_whole(f"harness {each.id}", "added", each.where) for each in come)


def _hypotheses(before: Contract, after: Contract) -> Iterator[Change]:
    """Yield what became of hypotheses: they explain a defect, and promise nobody anything."""
    old, new = ({each.id: each for each in side.hypotheses} for side in (before, after))
    for name in sorted({*old, *new}):
        one, other = old.get(name), new.get(name)
        there: Hypothesis | None = other or one
        if there is not None:
            was, now = (None if each is None else dict(each.raw) for each in (one, other))
            yield from single(f"hypothesis {name}", "hypothesis", was, now, there.where, "reworded")


def _qa_gate(before: Contract, after: Contract) -> Iterator[Change]:
    old, new = before.qa_gate, after.qa_gate
    if old is None or new is None:
        if there := old or new:
            yield _whole("qa_gate", "added" if new else "removed", there.where)
        return
    yield from claims("qa_gate", "checks", old.checks, new.checks, new.where)
    for key in ("pass_criteria", "falsification"):
        yield from single("qa_gate", key, old.raw.get(key), new.raw.get(key), new.where)
    for key in sorted({*old.raw, *new.raw} - {"checks", "pass_criteria", "falsification"}):
        # Whoever has thresholds there, such as min_coverage, promises them.
        effect: Effect = "reworded" if key == "id" or key in WORDS else "changed"
        yield from single("qa_gate", key, old.raw.get(key), new.raw.get(key), new.where, effect)


def _blocks(before: Contract, after: Contract) -> Iterator[Change]:
    """Yield the other blocks, key by key: what nobody here reads may still be a part of the claim."""
    old, new = before.document.value, after.document.value
    for name in sorted({*old, *new} - _TYPED):
        effect: Effect = "reworded" if name in _WORDS else "changed"
        where = after.document.where(name) if name in new else before.document.where(name)
        was, now = old.get(name), new.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            for key in sorted({*was, *now}):
                yield from single(name, key, was.get(key), now.get(key), where, effect)
        else:
            yield from single(name, name, was, now, where, effect)
