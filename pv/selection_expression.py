"""Which falsifiers an expression selects: ``status == "STALE" and any(level == "live")``.

The language is that of rules; the names are the fields below instead of metrics. A field with several
values is a series, and stands within ``any``, ``all`` or ``count``; one that has none has the text ``""``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from pv.check import Metric
from pv.config import Config
from pv.contract import LEVELS, Falsifier
from pv.errors import ExpressionError, SelectionError
from pv.expression import Expression, Series, evaluate, parse
from pv.expression.kinds import mismatch
from pv.freshness import base_level
from pv.planning import DEFAULT_MEMORY_BYTES, DEFAULT_TIMEOUT_SECONDS, levels_of
from pv.selection import Selected
from pv.status import derive

__all__ = ["FIELDS", "parse_selection", "selected_by"]

Read: TypeAlias = Callable[[Selected, Config], Iterable[str | int | float]]


def _texts(value: Any) -> list[str]:
    """Return the texts of a key that nothing defines, such as ``tags``: one text, or several in a list."""
    listed = value if isinstance(value, list) else [value]
    return [text for text in listed if isinstance(text, str)]


def _tags(item: Selected, _: Config) -> list[str]:
    return [*_texts(item.falsifier.raw.get("tags")), *_texts(item.contract.metadata.get("tags"))]


def _way(falsifier: Falsifier) -> str:
    if falsifier.stated_property is not None:
        return "property"
    ways = ("check", "pytest", "command", "basis")
    return next((way for way in ways if getattr(falsifier, way)), "")


def _status(item: Selected, config: Config) -> list[str]:
    return [derive(item.contract, item.falsifier, config).name]


def _gpus(item: Selected, _: Config) -> list[str]:
    return [needs.gpu for needs in item.falsifier.needs.values() if needs.gpu]


def _memory(item: Selected, _: Config) -> list[int]:
    needed = [needs.memory_bytes or DEFAULT_MEMORY_BYTES for needs in item.falsifier.needs.values()]
    return [max(needed, default=DEFAULT_MEMORY_BYTES)]


def _timeout(item: Selected, _: Config) -> list[float]:
    needed = [needs.timeout_seconds or DEFAULT_TIMEOUT_SECONDS for needs in item.falsifier.needs.values()]
    return [max(needed, default=DEFAULT_TIMEOUT_SECONDS)]


FIELDS: Mapping[str, tuple[str, Read]] = {
    "id": ("text", lambda item, _: [item.falsifier.id]),
    "contract": ("text", lambda item, _: [item.contract.stem]),
    "kind": ("text", lambda item, _: [item.contract.kind]),
    "model": ("text", lambda item, _: [item.falsifier.model or item.contract.model or ""]),
    "status": ("text", _status),
    "outcome": ("text", lambda item, _: [item.falsifier.outcome]),
    "bound": ("text", lambda item, _: [_way(item.falsifier)]),
    "check": ("text", lambda item, _: [item.falsifier.check or item.falsifier.pytest or ""]),
    "base": ("text", lambda item, _: [base_level(item.falsifier)]),
    "ship_blocking": ("count", lambda item, _: [int(item.falsifier.ship_blocking)]),
    "level": ("text", lambda item, _: sorted(levels_of(item.falsifier), key=LEVELS.index)),
    "tag": ("text", _tags),
    "covers": ("text", lambda item, _: item.falsifier.covers),
    "subject": (
        "text",
        lambda item, _: sorted({s for roles in item.falsifier.subjects.values() for s in roles.values()}),
    ),
    "needs.gpu": ("text", _gpus),
    "needs.modules": (
        "text",
        lambda item, _: sorted({m for needs in item.falsifier.needs.values() for m in needs.modules}),
    ),
    "needs.memory": ("count", _memory),
    "needs.timeout": ("real", _timeout),
}
"""Field → its kind, and what it is of one falsifier: bytes, seconds, texts."""

_DOTTED = frozenset(name for name in FIELDS if "." in name)
_NAMES = {name.replace(".", "_"): name for name in FIELDS}
_METRICS: Mapping[str, Metric] = {
    name: Metric(name, kind=FIELDS[field][0])  # type: ignore[arg-type]
    for name, field in _NAMES.items()
}


def parse_selection(text: str) -> Expression:
    """Parse `text`, whose names are :data:`FIELDS`.

    Raises
    ------
    SelectionError
        It is not of the language, names something else, or could never be judged.
    """
    try:
        expression = parse(text, _DOTTED)
    except ExpressionError as error:
        column = f" (column {error.where.column})" if error.where else ""
        raise SelectionError(f"--select {text!r}{column}: {error.what}", remedy=error.remedy) from error
    if unknown := sorted(expression.metrics - _METRICS.keys()):
        raise SelectionError(
            f"--select {text!r}: {unknown[0]} is no field of a falsifier",
            remedy=f"the fields are {', '.join(FIELDS)}",
        )
    if wrong := mismatch(expression.root, _METRICS):
        raise SelectionError(f"--select {text!r}: {wrong}", remedy="docs/how-to/sweep.md has the fields")
    return expression


def selected_by(text: str, chosen: Iterable[Selected], config: Config) -> list[Selected]:
    """Return those of `chosen` of which the expression `text` holds.

    Raises
    ------
    SelectionError
        As :func:`parse_selection`; or it cannot be judged of one of them, which then is not left out unsaid.
    """
    expression = parse_selection(text)
    kept = []
    for item in chosen:
        values: dict[str, Series] = {}
        for name in expression.metrics:
            kind, read = FIELDS[_NAMES[name]]
            found = tuple(read(item, config))
            values[name] = Series(found or (("",) if kind == "text" else ()))
        judgement = evaluate(expression, values, _METRICS)
        if judgement.faults:
            address = f"{item.contract.stem}#{item.falsifier.id}"
            raise SelectionError(
                f"--select {text!r} cannot be judged of {address}: {judgement.faults[0]}",
                remedy='a field that may have several values stands within any(): any(level == "live")',
            )
        if judgement.truth:
            kept.append(item)
    return kept
