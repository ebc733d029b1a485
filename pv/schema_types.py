"""The bricks of the schemas: scalars, choices, defaults, mappings with names and spellings.

Beside what pydantic's core needs, a schema carries in its ``metadata`` what :mod:`pv.json_schema` needs to
say the same in JSON Schema: the name of a mapping, the pattern of a text, the forms in which a value that
is rewritten before it is checked may be written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from pydantic_core import core_schema as core

from pv.contract import SPELLINGS

Schema = core.CoreSchema

ANYTHING: Schema = core.any_schema()
TEXT: Schema = core.str_schema()
OPTIONAL_TEXT: Schema = core.nullable_schema(TEXT)
TEXTS: Schema = core.list_schema(TEXT)
NOT_NEGATIVE: Schema = core.nullable_schema(core.float_schema(ge=0))
COUNT: Schema = core.int_schema(ge=0)
OPTIONAL_COUNT: Schema = core.nullable_schema(COUNT)
TRUTH: Schema = core.bool_schema()
AMOUNT: Schema = core.union_schema([core.int_schema(gt=0), core.float_schema(gt=0, allow_inf_nan=False)])


def one_of(*words: str) -> Schema:
    """Return the schema of one of `words`."""
    return core.literal_schema(list(words))


def default(value: Any, schema: Schema) -> Schema:
    """Return `schema` for a key that may be left out, which then has `value`."""
    if value in ([], {}):
        # A default that can be changed would be copied deeply, which takes as long as all other checks.
        made = core.with_default_schema(schema, default_factory=type(value))
        made["metadata"] = {"default": value}
        return made
    return core.with_default_schema(schema, default=value)


def optional(schema: Schema) -> Schema:
    """Return `schema` for a key that may be left out or empty."""
    return default(None, core.nullable_schema(schema))


def matching(parse: Callable[[Any], Any], pattern: str) -> Schema:
    """Return the schema of a text that `parse` takes; `pattern` (ECMA 262) matches each of those."""
    return core.no_info_after_validator_function(parse, TEXT, metadata={"pattern": pattern})


def rewritten(rewrite: Callable[[Any], Any], schema: Schema, *written: Schema) -> Schema:
    """Return `schema` for what `rewrite` makes of the value; `written` are the forms that it may have."""
    return core.no_info_before_validator_function(rewrite, schema, metadata={"written": written})


def mapping(
    name: str, fields: dict[str, Schema], *, closed: bool = False, spelled: Collection[str] = ()
) -> core.TypedDictSchema:
    """Return a mapping of `fields`; one with a default may be left out, other keys are kept.

    Parameters
    ----------
    name
        What the mapping is called in the JSON Schema.
    fields
        Key → schema.
    closed
        Refuse other keys.
    spelled
        The keys of which every spelling is accepted (:data:`pv.contract.SPELLINGS`).
    """
    typed = {}
    for key, schema in fields.items():
        spellings: list[list[str | int]] = [
            [spelling] for spelling in (SPELLINGS[key] if key in spelled else (key,))
        ]
        required = schema["type"] != "default"
        typed[key] = core.typed_dict_field(schema, required=required, validation_alias=spellings)
    return core.typed_dict_schema(
        typed, extra_behavior="forbid" if closed else "allow", metadata={"name": name, "spelled": spelled}
    )
