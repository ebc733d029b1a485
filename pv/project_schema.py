"""The JSON Schema of contracts, with the names that a project has: its checks, metrics and subjects.

It accepts what :mod:`pv.json_schema` does, less what `pv validate` refuses of such names where JSON Schema
has words for it: a ``check:`` that is none; an argument, a role, a counter-example or a dose that the check
does not have; in ``expect:`` a metric that it does not record; a subject that ``pv.toml`` does not name.
Patterns are written so that Python and ECMAScript read them alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pv.binding import Binding
from pv.contract import LEVELS
from pv.dosing import KINDS
from pv.expression.syntax import AGGREGATES, FUNCTIONS
from pv.json_schema import IDENTIFIER, json_schema

__all__ = ["project_schema"]

Node = dict[str, Any]

_OPERATORS = frozenset({"and", "or", "not", "in"})
_NUMBER = r"\.?[0-9][0-9A-Za-z_.]*(?![0-9A-Za-z_.])"
_TEXT = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_SIGN = r"[-+*/<>=!(){}\[\],]"


def project_schema(checks: Mapping[str, Binding], subjects: Iterable[str]) -> Node:
    """Return the schema, ready for :func:`json.dump`; without checks, ``check:`` is any text."""
    schema = json_schema()
    definitions = schema["$defs"]
    falsifier = definitions["falsifier"]
    if checks:
        described = falsifier["properties"]["check"]["description"]
        names = {"enum": list(checks)}
        falsifier["properties"]["check"] = {"description": described, "anyOf": [names, {"type": "null"}]}
    definitions["subject"] = {
        "description": "A subject of pv.toml.",
        "type": "string",
        "enum": sorted(subjects),
    }
    for reference, binding in checks.items():
        definitions |= _of(reference, binding)
        falsifier["allOf"].append(
            {
                "if": {"required": ["check"], "properties": {"check": {"const": reference}}},
                "then": _reference(reference),
            }
        )
    return {**schema, "$id": f"{IDENTIFIER}:with-checks", "title": "Contract of this project"}


def _of(reference: str, binding: Binding) -> dict[str, Node]:
    """Return what a falsifier may say that is bound to a check, and the parts that this has twice."""
    parameters = [parameter.name for parameter in binding.parameters]
    on_series = rf"^(?:{'|'.join(sorted(binding.metrics))})\.(?:{'|'.join(sorted(KINDS))})$"
    plants = sorted(binding.counter_examples)
    roles, arguments, lines = (_reference(f"{reference} {part}") for part in ("roles", "arguments", "lines"))
    return {
        reference: {
            "description": f"What {reference} takes and measures.",
            "properties": {
                "expect": {"anyOf": [lines, {"type": "object", "additionalProperties": lines}]},
                "counter_examples": {"items": {"enum": plants}} if plants else {"maxItems": 0},
                "must_detect": {
                    **_only({name: {} for name in sorted(binding.doses)}),
                    "patternProperties": {on_series: {}},
                },
                "with": arguments,
                "subjects": {"properties": dict.fromkeys(LEVELS, roles)},
                "satisfying_example": {"properties": {"with": arguments, "subjects": roles}},
            },
        },
        f"{reference} arguments": _only({name: {} for name in parameters}),
        f"{reference} roles": _only({name: {"$ref": "#/$defs/subject"} for name in parameters}),
        f"{reference} lines": {"type": "array", "items": _line(binding)},
    }


def _line(binding: Binding) -> Node:
    metrics = sorted(binding.metrics)
    words = "|".join(sorted({*metrics, *AGGREGATES, *FUNCTIONS, *_OPERATORS}))
    told = f"{binding.reference} records {', '.join(metrics)}"
    return {
        "type": "string",
        "pattern": rf"^(?:\s|{_SIGN}|{_NUMBER}|{_TEXT}|(?:{words})(?![0-9A-Za-z_]))*$",
        "description": f"{told}.",
        # What yaml-language-server and VS Code say instead of repeating the pattern.
        "patternErrorMessage": f"This names something else than a metric: {told}.",
    }


def _only(properties: Node) -> Node:
    return {"properties": properties, "additionalProperties": False}


def _reference(name: str) -> Node:
    """Return a reference to a definition, which is a fragment of a URI."""
    import urllib.parse

    return {"$ref": f"#/$defs/{urllib.parse.quote(name, safe=':')}"}
