"""Pydantic's errors, in our words and at their place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic_core import ValidationError

from pv.contract import LEVELS, SPELLINGS
from pv.document import Document
from pv.errors import Location
from pv.finding import Finding
from pv.schema import CITED, NEEDS, REPLACEMENT, RUNS, SATISFYING_EXAMPLE, equation_name
from pv.schema_property import PROPERTY, PROPERTY_INPUT, TOLERANCE

__all__ = ["contradictions", "place_of", "problem", "siblings", "translate"]

Path = tuple[str | int, ...]

_EXPECTED = {
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "bool_type": "true or false",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
}
_FOUND = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
}


def problem(where: Location, message: str, remedy: str) -> Finding:
    """Return a finding on the shape, short enough to be read even where a value is not."""
    if len(message) > 500:
        message = f"{message[:500]}..."
    return Finding(where, "SCHEMA-000", "error", message, remedy)


def translate(error: ValidationError, document: Document) -> Iterator[Finding]:
    """Yield one finding for each of pydantic's errors."""
    for detail in error.errors(include_url=False):
        path, tail = place_of(detail["loc"], document.value)
        name = _dotted(path)
        kind = detail["type"]
        value = detail["input"]
        if kind == "missing":
            within = f"{name}: " if name else ""
            key = detail["loc"][-1]
            yield problem(document.where(*path), f"{within}{key} is missing", f"Add `{key}:` here.")
        elif "[key]" in tail:
            what = f"{name}: this key is not one of {', '.join(LEVELS)}"
            remedy = _meant(path[-1], LEVELS) or "Use one of them."
            yield problem(document.where_key(*path), what, remedy)
        elif kind == "extra_forbidden":
            remedy = _meant(path[-1], siblings(path)) or "Remove it, or correct its name."
            yield problem(document.where_key(*path), f"{name} is not known here", remedy)
        elif kind in _EXPECTED:
            number = kind == "string_type" and isinstance(value, (int, float))
            remedy = "Put it in quotes, so that it stays text as written." if number else "Correct it."
            what = f"{name}: expected {_EXPECTED[kind]}, found {_FOUND.get(type(value), 'something else')}"
            yield problem(document.where(*path), what, remedy)
        elif kind == "literal_error":
            expected = detail["ctx"]["expected"]
            what = f"{name}: {value!r} is not one of {expected}"
            remedy = _meant(value, re.findall(r"'([^']*)'", expected)) if isinstance(value, str) else ""
            yield problem(document.where(*path), what, remedy or "Use one of them.")
        elif kind == "too_short":
            yield problem(
                document.where(*path), f"{name} is empty", "Write at least one item, or remove the key."
            )
        elif kind == "greater_than_equal":
            least = detail["ctx"]["ge"]
            what = "is negative" if least == 0 else f"is less than {least}"
            yield problem(document.where(*path), f"{name}: {value} {what}", "Correct it.")
        else:
            message = detail["msg"].removeprefix("Value error, ")
            yield problem(document.where(*path), f"{name}: {message[:1].lower()}{message[1:]}", "Correct it.")


def _meant(key: str | int, known: Iterable[str]) -> str:
    # Imported late: most contracts are of the right shape.
    from pv.near_miss import nearest

    meant = nearest(str(key), known)
    return f"Did you mean {meant}?" if meant else ""


def siblings(path: Path) -> Iterable[str]:
    """Return the keys of the closed mapping, of a falsifier, that the key at the end of `path` stands in."""
    closed = {
        "needs": [*NEEDS["fields"], *LEVELS],
        "satisfying_example": SATISFYING_EXAMPLE["fields"],
        "counter_examples": REPLACEMENT["fields"],
        "runs": RUNS["fields"],
        "basis": CITED["fields"],
        "property": [*PROPERTY["fields"], *PROPERTY_INPUT["fields"], *TOLERANCE["fields"]],
    }
    return closed.get(str(path[2]), ()) if len(path) > 2 else ()


def contradictions(document: Document) -> Iterator[Finding]:
    """Yield what two keys of one item say against each other; anything misshapen is passed over.

    Of an improvement's record, whose keys have that meaning in contracts of its kind only, yield what is
    not text besides.
    """
    metadata = document.value.get("metadata")
    if isinstance(metadata, dict) and metadata.get("kind") == "kaizen":
        for key in ("contract", "title", "parent", "status"):
            value = document.value.get(key)
            if value is not None and not isinstance(value, str):
                what = f"{key}: expected text, found {_FOUND.get(type(value), 'something else')}"
                yield problem(document.where(key), what, "Correct it, or put it in quotes.")
    for section in ("falsification_tests", "proof_obligations"):
        items = document.value.get(section)
        for index, item in enumerate(items if isinstance(items, list) else []):
            for key, what, remedy in _contradictions(item) if isinstance(item, dict) else []:
                where = document.where_key(section, index, key)
                yield problem(where, f"{section}[{index}] {what}", remedy)


def _contradictions(item: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    same = [*SPELLINGS.values()]
    if isinstance(item.get("command"), str):
        same.append(("test", "command"))
    for canonical, alias in same:
        if canonical in item and alias in item and not isinstance(item[canonical], dict):
            yield alias, f"has both {canonical} and {alias}, which mean the same", f"Remove {alias}."
    bindings = [key for key in ("check", "pytest", "basis") if item.get(key) is not None]
    bindings += ["command"] if isinstance(item.get("command"), list) else []
    bindings += ["property"] if isinstance(item.get("property"), dict) else []
    if len(bindings) > 1:
        yield bindings[1], f"is bound more than once: {', '.join(bindings)}", "Keep one of them."
    if item.get("outcome") == "refuted" and item.get("satisfying_example") is None:
        what = "is refuted but has no satisfying_example, so nothing shows that its rule could hold"
        yield "outcome", what, "Add `satisfying_example:` with the arguments for which the rule holds."


def place_of(loc: Path, value: Any) -> tuple[Path, list[str | int]]:
    """Split pydantic's location into the part that is in the document, and what is left."""
    path: list[str | int] = []
    tail: list[str | int] = []
    for step in loc:
        at: Any = step
        if path == ["equations"] and isinstance(value, list):
            at = next((index for index, item in enumerate(value) if equation_name(item, index) == step), step)
        within = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        if at in within:
            value = value[at]
            path.append(at)
        elif step != "*":
            tail.append(step)
    return tuple(path), tail


def _dotted(path: tuple[str | int, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
