"""The shape of a binding registry's YAML, at the edge: what the Rust ``pv`` reads of one.

A registry says which function of a Rust crate implements which equation. Unknown keys are kept.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pydantic_core import SchemaValidator
from pydantic_core import core_schema as core

from pv.schema_types import OPTIONAL_TEXT, TEXT, TEXTS, default, mapping, one_of

__all__ = ["STATUSES", "contract_named", "registry_validator"]

STATUSES = ("implemented", "partial", "not_implemented", "pending")
"""What an entry may say of its function."""

BINDING = mapping(
    "binding",
    {
        "contract": TEXT,
        "equation": TEXT,
        "module_path": default(None, OPTIONAL_TEXT),
        "function": default(None, OPTIONAL_TEXT),
        "signature": default(None, OPTIONAL_TEXT),
        "status": one_of(*STATUSES),
        "notes": default(None, OPTIONAL_TEXT),
    },
)
BINDING_REGISTRY = mapping(
    "binding_registry",
    {
        "version": TEXT,
        "target_crate": TEXT,
        "critical_path": default([], TEXTS),
        "bindings": core.list_schema(BINDING),
    },
)


@functools.cache
def registry_validator() -> SchemaValidator:
    """Return the validator of a whole binding registry, to be called strictly."""
    return SchemaValidator(BINDING_REGISTRY)


def contract_named(entry: Mapping[str, Any]) -> str:
    """Return which contract `entry` is about, without the ending of its file, which may be left out."""
    named: str = entry["contract"]
    return named.removesuffix(".yaml").removesuffix(".yml")
