"""The shape of a contract as a JSON Schema, made from the schema that contracts are typed with.

It accepts whatever loads. What it cannot say, and loading refuses besides: that a module path is made of
Python identifiers, that a quantity is positive, that no two equations of a list share an id, that seeds
differ. Source: JSON Schema 2020-12, https://json-schema.org/draft/2020-12.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pv.contract import SPELLINGS
from pv.schema import CONTRACT
from pv.schema_descriptions import BLOCKS, KEYS, LEVEL_KEYS

__all__ = ["IDENTIFIER", "json_schema"]

IDENTIFIER = "urn:pv:contract"
"""``$id``: a name; the schema is in the package, not on the network."""

Node = dict[str, Any]


def json_schema() -> Node:
    """Return the schema, ready for :func:`json.dump`."""
    definitions: dict[str, Node] = {}
    _translate(CONTRACT, definitions)
    contract = definitions.pop("contract")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": IDENTIFIER,
        "title": "Contract",
        **contract,
        "$defs": dict(sorted(definitions.items())),
    }


def _translate(schema: Any, definitions: dict[str, Node]) -> Node:
    kind: str = schema["type"]
    written = schema.get("metadata", {}).get("written")
    if written is not None:
        return _any_of([_translate(form, definitions) for form in written])
    if kind in {"default", "function-after"}:
        node = _translate(schema["schema"], definitions)
        pattern = schema.get("metadata", {}).get("pattern")
        if pattern is not None:
            node["pattern"] = pattern
        stated = schema.get("metadata", {}).get("default", schema.get("default"))
        if stated is not None:
            node["default"] = stated
        return node
    return _TRANSLATORS[kind](schema, definitions)


def _any_of(nodes: list[Node]) -> Node:
    flat = [part for node in nodes for part in (node["anyOf"] if node.keys() == {"anyOf"} else [node])]
    return {"anyOf": flat}


def _nullable(schema: Any, definitions: dict[str, Node]) -> Node:
    return _any_of([_translate(schema["schema"], definitions), {"type": "null"}])


def _list(schema: Any, definitions: dict[str, Node]) -> Node:
    node = {"type": "array", "items": _translate(schema["items_schema"], definitions)}
    return node | ({"minItems": schema["min_length"]} if "min_length" in schema else {})


def _dict(schema: Any, definitions: dict[str, Node]) -> Node:
    values = _translate(schema["values_schema"], definitions) if "values_schema" in schema else {}
    if schema["keys_schema"]["type"] != "literal":
        least = {"minProperties": schema["min_length"]} if "min_length" in schema else {}
        return {"type": "object", "additionalProperties": values} | least
    words = {word: {**values, "description": LEVEL_KEYS[word]} for word in schema["keys_schema"]["expected"]}
    return {"type": "object", "properties": words, "additionalProperties": False}


def _mapping(schema: Any, definitions: dict[str, Node]) -> Node:
    name = schema["metadata"]["name"]
    if name not in definitions:
        definitions[name] = {}  # its place, before those of its parts
        properties: dict[str, Node] = {}
        required = []
        for key, field in schema["fields"].items():
            described = {"description": KEYS[name][key]}
            node = {**described, **_translate(field["schema"], definitions)}
            for spelling in SPELLINGS[key] if key in schema["metadata"]["spelled"] else (key,):
                same = {} if spelling == key else {"description": f"Same as `{key}`."}
                properties[spelling] = node | same
            if field["required"]:
                required.append(key)
        definitions[name] = {
            "description": BLOCKS[name],
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": schema["extra_behavior"] == "allow",
            **_RESTRICTIONS.get(name, dict)(),
        }
    return {"$ref": f"#/$defs/{name}"}


def _number(kind: str) -> Callable[[Any, dict[str, Node]], Node]:
    def translate(schema: Any, _: dict[str, Node]) -> Node:
        bounds = {"minimum": "ge", "exclusiveMinimum": "gt"}
        return {"type": kind} | {word: schema[key] for word, key in bounds.items() if key in schema}

    return translate


def _text(schema: Any, _: dict[str, Node]) -> Node:
    return {"type": "string"} | ({"minLength": schema["min_length"]} if "min_length" in schema else {})


_TRANSLATORS: dict[str, Callable[[Any, dict[str, Node]], Node]] = {
    "any": lambda _schema, _definitions: {},
    "bool": lambda _schema, _definitions: {"type": "boolean"},
    "dict": _dict,
    "float": _number("number"),
    "int": _number("integer"),
    "list": _list,
    "literal": lambda schema, _: {"enum": list(schema["expected"])},
    "nullable": _nullable,
    "str": _text,
    "tagged-union": lambda schema, definitions: _any_of(
        [_translate(choice, definitions) for choice in schema["choices"].values()]
    ),
    "typed-dict": _mapping,
    "union": lambda schema, definitions: _any_of(
        [_translate(choice, definitions) for choice in schema["choices"]]
    ),
}


def _not_both(*keys: str) -> Node:
    return {"not": {"required": list(keys)}}


def _obligation() -> Node:
    return {"allOf": [_not_both(*SPELLINGS[key]) for key in ("property", "formal")]}


def _falsifier() -> Node:
    bound = {
        "check": {"not": {"type": "null"}},
        "pytest": {"not": {"type": "null"}},
        "basis": {"not": {"type": "null"}},
        "command": {"type": "array"},
        "property": {"type": "object"},
    }
    pairs = [(one, other) for one in bound for other in bound if one < other]
    note = {"required": ["test", "command"], "properties": {"command": {"type": "string"}}}
    refuted = {"required": ["outcome"], "properties": {"outcome": {"const": "refuted"}}}
    example = {"satisfying_example": {"not": {"type": "null"}}}
    return {
        "allOf": [
            *(_not_both(*SPELLINGS[key]) for key in ("rule", "prediction", "if_fails")),
            {"not": note},
            *(
                {"not": {"required": list(pair), "properties": {key: bound[key] for key in pair}}}
                for pair in pairs
            ),
            {"if": refuted, "then": {"required": ["satisfying_example"], "properties": example}},
        ]
    }


_RESTRICTIONS: dict[str, Callable[[], Node]] = {"falsifier": _falsifier, "obligation": _obligation}
"""Name of a mapping → what its keys may not say together (:func:`pv.shape_problems.contradictions`)."""


if __name__ == "__main__":
    # How the shipped file is made: python -m pv.json_schema > pv/contract.schema.json
    import json

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
