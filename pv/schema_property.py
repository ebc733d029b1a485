"""The shape of a falsifier's ``property:``: a standard type of obligation, and what it is measured on."""

from __future__ import annotations

from typing import Any

from pydantic_core import core_schema as core

from pv.schema_types import (
    NOT_NEGATIVE,
    OPTIONAL_TEXT,
    TEXT,
    TEXTS,
    TRUTH,
    default,
    mapping,
    matching,
    one_of,
    optional,
    rewritten,
)
from pv.schema_values import code

__all__ = ["PROPERTY", "PROPERTY_INPUT", "PROPERTY_OR_NOTE", "TOLERANCE", "TYPES"]

TYPES = """
invariant equivalence bound monotonicity idempotency linearity symmetry associativity involution conservation
ordering determinism roundtrip
""".split()  # noqa: SIM905  (one word a line would fill the page)

DTYPES = """
int8 int16 int32 int64 uint8 uint16 uint32 float16 float32 float64
""".split()  # noqa: SIM905


def _form(value: Any) -> str:
    return "[mapping]" if isinstance(value, dict) else "[text]"


def _tolerance(value: Any) -> Any:
    return value if isinstance(value, dict) else {"absolute": value}


WHOLE = core.int_schema()
REAL = core.union_schema([WHOLE, core.float_schema(allow_inf_nan=False)])
BOUND = core.nullable_schema(core.union_schema([WHOLE, core.float_schema(allow_inf_nan=False), TEXT]))
BOUNDS = optional(core.list_schema(BOUND, min_length=2, max_length=2))
CODE = matching(code, r"^[^\s:]+:[^\s:]+$")
PROPERTY_INPUT = mapping(
    "property_input",
    {
        "integers": BOUNDS,
        "floats": BOUNDS,
        "text": BOUNDS,
        "bytes": BOUNDS,
        "choices": optional(core.list_schema(core.union_schema([TRUTH, WHOLE, REAL, TEXT]), min_length=1)),
        "equals": optional(TEXT),
        "shape": optional(core.list_schema(core.union_schema([core.int_schema(ge=0), TEXT]))),
        "dtype": optional(one_of(*DTYPES)),
        "as": default("numpy", one_of("numpy", "torch", "list")),
    },
    closed=True,
)
TOLERANCE = mapping(
    "tolerance",
    {"absolute": default(0, NOT_NEGATIVE), "relative": default(0, NOT_NEGATIVE)},
    closed=True,
)
PROPERTY = mapping(
    "property",
    {
        "type": one_of(*TYPES),
        "subject": CODE,
        "inputs": default({}, core.dict_schema(TEXT, PROPERTY_INPUT)),
        "reference": optional(CODE),
        "inverse": optional(CODE),
        "requires": default([], TEXTS),
        "ensures": default([], TEXTS),
        "under": default({}, core.dict_schema(TEXT, TEXT)),
        "low": default(None, BOUND),
        "high": default(None, BOUND),
        "along": default(None, OPTIONAL_TEXT),
        "other": default(None, OPTIONAL_TEXT),
        "conserves": default(None, OPTIONAL_TEXT),
        "decreasing": default(False, TRUTH),
        "tolerance": default({}, rewritten(_tolerance, TOLERANCE, NOT_NEGATIVE, TOLERANCE)),
        "examples": default(200, core.int_schema(ge=1, le=100_000)),
        "prove": default(False, TRUTH),
    },
    closed=True,
)
PROPERTY_OR_NOTE = core.nullable_schema(
    core.tagged_union_schema({"[text]": TEXT, "[mapping]": PROPERTY}, discriminator=_form)
)
"""As a text, a note that contracts of the Rust tool may have."""
