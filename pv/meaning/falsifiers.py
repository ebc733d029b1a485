"""In what two versions of a falsifier differ: what it measures, what its rule asks, what it must notice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pv.contract import LEVELS, Falsifier
from pv.differences import clause_differences
from pv.errors import Location
from pv.meaning.change import REVERSED, Change, Effect, Relation, claims, paired, single
from pv.meaning.rule_lines import line_changes, relation
from pv.normal_form import normal_clause
from pv.planning import levels_of

__all__ = ["added_falsifier", "falsifier_changes", "falsifier_pairs", "removed_falsifier"]

_OF_RELATION: Mapping[Relation, Effect] = {
    "equal": "reworded",
    "weaker": "weakened",
    "stronger": "strengthened",
    "incomparable": "changed",
}
_WORDS = ("if_fails", "test", "name", "title", "notes", "note")
"""Keys that claim nothing, whatever they say."""
_STATED = ("rule", "prediction")
"""The claim in words, where no ``expect:`` says what is measured of it."""
_LINKS = ("blocks", "blocked_by", "model", "tags", "retries")


def falsifier_pairs(
    before: tuple[Falsifier, ...], after: tuple[Falsifier, ...]
) -> Iterator[tuple[Falsifier | None, Falsifier | None]]:
    """Yield old and new by id, or by an alias that the other goes by; None where there is no counterpart."""
    same, old, new = paired(before, after, lambda *_: True, lambda one: one.id)
    known, gone, come = paired(
        old, new, lambda one, other: one.id in other.aliases or other.id in one.aliases
    )
    yield from (*same, *known)
    yield from ((one, None) for one in gone)
    yield from ((None, other) for other in come)


def added_falsifier(falsifier: Falsifier) -> Change:
    """Return that there is a falsifier that was not there."""
    return Change(_part(falsifier), "", "added", "added", falsifier.where)


def removed_falsifier(falsifier: Falsifier) -> Change:
    """Return that a falsifier is gone."""
    return Change(_part(falsifier), "", "removed", "removed", falsifier.where)


def falsifier_changes(before: Falsifier, after: Falsifier) -> Iterator[Change]:
    """Yield in what `after` differs from `before`, by their normal forms."""
    part, where = _part(after), after.where
    # Under one part in both directions, a rename is said once.
    if before.id != after.id:
        part = f"falsifier {min(before.id, after.id)}"
        yield from single(part, "id", before.id, after.id, after.where, "reworded")
    old, new = normal_clause(before), normal_clause(after)
    for key in sorted({*old, *new} - {"id"}):
        was, now = old.get(key), new.get(key)
        if json.dumps(was, sort_keys=True) == json.dumps(now, sort_keys=True):
            continue
        if key == "expect":
            said = list(_expect(part, before, after))
            yield from said or [
                Change(part, key, "reworded", "expect: levels are told apart otherwise", where)
            ]
        elif key == "counter_examples":
            yield from _counter_examples(part, was, now, after.key_where(key))
        elif key == "subjects":
            yield from _subjects(part, was or {}, now or {}, after.key_where(key))
        elif key in {"sources", "bound_to"}:
            # What evidence depends on: with more of it, less passes for fresh.
            yield from claims(part, key, was or (), now or (), after.key_where(key), gained="strengthened")
        elif key == "must_detect":
            yield from _amounts(part, before.must_detect, after.must_detect, after.key_where(key))
        else:
            yield _said(part, key, was, now, _effect(key, was, now, before, after), after.key_where(key))
    yield from _beside(part, before, after)


def _part(falsifier: Falsifier) -> str:
    return f"falsifier {falsifier.id}"


def _said(part: str, key: str, was: Any, now: Any, effect: Effect, where: Location) -> Change:
    told = clause_differences({} if was is None else {key: was}, {} if now is None else {key: now})
    return Change(part, key, effect, "; ".join(told) or f"{key} is another", where)


def _effect(key: str, was: Any, now: Any, before: Falsifier, after: Falsifier) -> Effect:
    if key in _WORDS or (key in _STATED and before.expect and after.expect):
        return "reworded"
    if key == "excluded" and (was is None or now is None):
        return "weakened" if was is None else "strengthened"
    if key == "excluded":
        return "reworded"
    if key == "needs":
        devices = [{level: need.gpu for level, need in f.needs.items() if need.gpu} for f in (before, after)]
        if devices[0] == devices[1]:
            return "reworded"  # what a run may take decides no verdict
        if not (devices[0] and devices[1]):
            return "weakened" if devices[0] else "strengthened"
        return "changed"
    if key == "runs" and before.runs and after.runs:
        then, since = before.runs, after.runs
        if (then.by, then.seeds) == (since.by, since.seeds):
            return "strengthened" if since.at_least > then.at_least else "weakened"
    if key == "runs" and (was is None or now is None):
        return "strengthened" if was is None else "weakened"
    if before.bound != after.bound and key not in _STATED:
        return "strengthened" if after.bound else "weakened"
    return "changed"


def _expect(part: str, before: Falsifier, after: Falsifier) -> Iterator[Change]:
    stated = {*before.expect, *after.expect} - {"*"}
    judged = stated.union(*((*each.subjects, *levels_of(each)) for each in (before, after)))
    for level in [level for level in LEVELS if level in judged] if stated else ("*",):
        old, new = before.expectations(level), after.expectations(level)
        lines = line_changes(old, new)
        key = "expect" if level == "*" else f"expect.{level}"
        if not lines:
            continue
        if not (old and new):
            effect: Effect = "strengthened" if new else "weakened"
        else:
            effect = _OF_RELATION[relation(old, new)]
        words = {"reworded": "the same in other words", "changed": "not to be compared"}.get(effect, effect)
        yield Change(part, key, effect, f"{key}: {words}", after.key_where("expect"), lines)


def _counter_examples(part: str, was: Any, now: Any, where: Location) -> Iterator[Change]:
    key = "counter_examples"
    if was is None or now is None:
        # Without a list, all that the check has are planted.
        yield _said(part, key, was, now, "weakened" if was is None else "strengthened", where)
        return
    for name in sorted({*was} - {*now}):
        yield Change(part, key, "weakened", f"counter-example {name} removed", where)
    for name in sorted({*now} - {*was}):
        yield Change(part, key, "strengthened", f"counter-example {name} added", where)
    if isinstance(was, dict) and isinstance(now, dict):
        for name in sorted({*was} & {*now}):
            if was[name] != now[name]:
                yield _said(part, key, {name: was[name]}, {name: now[name]}, "changed", where)
    elif isinstance(was, dict) != isinstance(now, dict):
        yield Change(part, key, "changed", "counter-examples are declared in another way", where)


def _subjects(part: str, was: Mapping[str, Any], now: Mapping[str, Any], where: Location) -> Iterator[Change]:
    for level in sorted({*was} - {*now}):
        yield Change(part, "level", "weakened", f"the {level} level is gone", where)
    for level in sorted({*now} - {*was}):
        yield Change(part, "level", "strengthened", f"the {level} level is new", where)
    both = {*was} & {*now}
    old, new = ({level: side[level] for level in sorted(both)} for side in (was, now))
    if old != new:
        yield _said(part, "subjects", old, new, "changed", where)


def _amounts(
    part: str, was: Mapping[str, float], now: Mapping[str, float], where: Location
) -> Iterator[Change]:
    for name in sorted({*was, *now}):
        old, new = was.get(name), now.get(name)
        if old == new:
            continue
        better = old is None or (new is not None and new < old)
        yield from single(
            part,
            f"must_detect.{name}",
            old,
            new,
            where,
            "strengthened" if better else REVERSED["strengthened"],
        )


def _beside(part: str, before: Falsifier, after: Falsifier) -> Iterator[Change]:
    """Yield what is no part of the clause: what links it, who waits for it, what status is claimed."""
    where = after.where
    yield from claims(part, "covers", before.covers, after.covers, where, gained="strengthened")
    if before.ship_blocking != after.ship_blocking:
        effect: Effect = "strengthened" if after.ship_blocking else "weakened"
        word = "blocks releases now" if after.ship_blocking else "blocks no release any more"
        yield Change(part, "ship_blocking", effect, word, where)
    if before.discharge_status != after.discharge_status:
        yield from single(
            part, "discharge_status", before.discharge_status, after.discharge_status, where, "noted"
        )
    for key in _LINKS:
        yield from single(part, key, before.raw.get(key), after.raw.get(key), where, "reworded")
    yield from single(part, "aliases", sorted(before.aliases), sorted(after.aliases), where, "reworded")
