"""What differs between two clauses in normal form, line by line, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.errors import ExpressionError
from pv.expression.parse import parse
from pv.expression.syntax import Collection, Comparison, Negative, Node, Number, Text, children, render

__all__ = ["clause_differences", "shorten"]

_SHOWN = 60
_ARROW = "→"


def clause_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Say in what two clauses differ (see :mod:`pv.normal_form`), from what to what; empty if in nothing."""
    found: list[str] = []
    for key in sorted({*before, *after}, key=lambda key: (_ORDER.get(key, len(_ORDER)), key)):
        old, new = before.get(key), after.get(key)
        if old != new or _differs_in_type(old, new):
            found += _EXPLAINED.get(key, _values)(key, old, new)
    return found


def shorten(old: str, new: str) -> tuple[str, str]:
    """Return two texts, cut to where they differ if they are long."""
    if len(old) <= _SHOWN and len(new) <= _SHOWN:
        return old, new
    same = next(
        (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
    )
    start = max(0, same - _SHOWN // 3)

    def cut(text: str) -> str:
        end = start + _SHOWN
        return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"

    return cut(old), cut(new)


def _differs_in_type(old: Any, new: Any) -> bool:
    """Tell ``1`` from ``1.0`` and ``true``, which Python holds equal and a check may not."""
    return json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _changed(what: str, old: Any, new: Any) -> str:
    """Say one change; None stands for what is not there."""
    if old is None:
        return f"{what} added: {shorten(_shown(new), '')[0]}"
    if new is None:
        return f"{what} removed (was {shorten(_shown(old), '')[0]})"
    before, after = shorten(_shown(old), _shown(new))
    return f"{what} {before} {_ARROW} {after}"


def _values(key: str, old: Any, new: Any) -> Iterator[str]:
    """Follow maps down to the values that differ, naming them by their path: ``needs.memory``."""
    if not (isinstance(old, dict | None) and isinstance(new, dict | None)):
        yield _changed(key, old, new)
        return
    old, new = old or {}, new or {}
    for name in sorted({*old, *new}):
        if _differs_in_type(old.get(name), new.get(name)) or (name in old) != (name in new):
            path = key if name == "*" else f"{key} {name}" if key.endswith(":") else f"{key}.{name}"
            yield from _values(path, old.get(name), new.get(name))


def _prose(key: str, old: Any, new: Any) -> Iterator[str]:
    if old is None or new is None:
        yield f"{key} {'added' if old is None else 'removed'}"
        return
    before, after = shorten(old, new)
    yield f'{key} "{before}" {_ARROW} "{after}"'


def _arguments(_key: str, old: Any, new: Any) -> Iterator[str]:
    old, new = old or {}, new or {}
    for name in sorted({*old, *new}):
        if name in old and name in new:
            if _differs_in_type(old[name], new[name]):
                yield _changed(f"argument {name}", _shown(old[name]), _shown(new[name]))
        else:
            # An argument may be null, which is not the same as none.
            before, after = (_shown(side[name]) if name in side else None for side in (old, new))
            yield _changed(f"argument {name}", before, after)


def _subjects(_key: str, old: Any, new: Any) -> Iterator[str]:
    old, new = old or {}, new or {}
    several = len({*old, *new}) > 1
    for level in sorted({*old, *new}):
        before, after = old.get(level, {}), new.get(level, {})
        where = f" at {level} level" if several else ""
        for role in sorted({*before, *after}):
            if before.get(role) != after.get(role):
                colon = ":" if role in before and role in after else ""
                yield _changed(f"subject of role {role}{where}{colon}", before.get(role), after.get(role))


def _counter_examples(_key: str, old: Any, new: Any) -> Iterator[str]:
    if old is None or new is None:
        before, after = (
            "all that the check plants" if names is None else ", ".join(names) or "none"
            for names in (old, new)
        )
        yield f"counter-examples: {before} {_ARROW} {after}"
        return
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"counter-example {name} removed"
        elif name not in old:
            yield f"counter-example {name} added"
        elif isinstance(old, dict) and isinstance(new, dict) and old[name] != new[name]:
            yield from _values(f"counter-example {name}:", old[name], new[name])


def _rule(_key: str, old: Any, new: Any) -> Iterator[str]:
    old, new = old or {}, new or {}
    for level in sorted({*old, *new}):
        where = "" if level == "*" else f" ({level})"
        for line in _line_differences(old.get(level, []), new.get(level, [])):
            yield f"{line}{where}"


def _line_differences(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Pair the lines that differ in literals only; then the others, in their order."""
    removed, added = list(old), list(new)
    for line in old:
        if line in added:
            added.remove(line)
            removed.remove(line)
    for line in list(removed):
        for other in added:
            if said := _thresholds(line, other):
                yield from said
                removed.remove(line)
                added.remove(other)
                break
    for line, other in zip(removed, added, strict=False):
        yield "expect line " + f" {_ARROW} ".join(shorten(line, other))
    for line in removed[len(added) :]:
        yield f"expect line removed: {line}"
    for line in added[len(removed) :]:
        yield f"expect line added: {line}"


def _thresholds(old: str, new: str) -> list[str]:
    """Return the thresholds in which two lines differ; empty if they differ in more."""
    try:
        return _walk(parse(old).root, parse(new).root, None) or []
    except ExpressionError:
        return []


def _walk(old: Node, new: Node, other: Node | None) -> list[str] | None:
    """Compare two trees; None where they differ in more than literals that are compared with `other`."""
    if old == new and repr(old) == repr(new):
        return []
    if _literal(old) and _literal(new):
        return [f"threshold {render(other)} {render(old)} {_ARROW} {render(new)}"] if other else None
    parts, counterparts = children(old), children(new)
    if type(old) is not type(new) or len(parts) != len(counterparts) or _label(old) != _label(new):
        return None
    found: list[str] = []
    for index, (part, counterpart) in enumerate(zip(parts, counterparts, strict=True)):
        beside = None
        if isinstance(old, Comparison):
            # In a chain, what stands before it; else, what stands after it.
            neighbours = [*parts[max(index - 1, 0) : index], *parts[index + 1 : index + 2]]
            beside = next((node for node in neighbours if not _literal(node)), None)
        said = _walk(part, counterpart, beside)
        if said is None:
            return None
        found += said
    return found


def _literal(node: Node) -> bool:
    match node:
        case Number() | Text() | Collection():
            return True
        case Negative(operand):
            return _literal(operand)
        case _:
            return False


def _label(node: Node) -> tuple[Any, ...]:
    """Return what a node says besides its parts."""
    words = ("function", "operator", "operators", "name", "value", "items")
    return tuple(getattr(node, word, None) for word in words)


_EXPLAINED = {
    "expect": _rule,
    "with": _arguments,
    "subjects": _subjects,
    "counter_examples": _counter_examples,
    "rule": _prose,
    "prediction": _prose,
    "if_fails": _prose,
    "test": _prose,
}
_ORDER = {key: index for index, key in enumerate(("expect", "with", "counter_examples", "subjects", "check"))}
