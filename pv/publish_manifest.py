"""What a publish manifest must hold: the lists stand in a contract, and are read from there.

The contract is ``publish-manifest-v1.yaml``, beside the manifest or in one of the two folders above it; its
``schema`` block has ``required_fields`` and ``provenance_required_fields``. Nothing is fetched, and the
published file is not looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.document import Document, load
from pv.errors import PvError

__all__ = ["SCHEMA", "Fields", "fields_of", "lacking", "places_of_schema"]

SCHEMA = "publish-manifest-v1.yaml"
FOLDERS = 3
"""The manifest's own folder, and two above it."""


@dataclasses.dataclass(frozen=True)
class Fields:
    """The names of the fields that a manifest, and its provenance, must have."""

    required: tuple[str, ...] = ()
    provenance: tuple[str, ...] = ()


def places_of_schema(manifest: Path) -> list[Path]:
    """Return where the contract of `manifest` is looked for, in order."""
    folder = manifest.parent
    return [above / SCHEMA for above in (folder, *folder.absolute().parents)[:FOLDERS]]


def fields_of(manifest: Document) -> tuple[Fields, str]:
    """Return the fields that `manifest` must have, and why they cannot be told, which is mostly empty."""
    path = next((place for place in places_of_schema(Path(manifest.path)) if place.is_file()), None)
    if path is None:
        return Fields(), f"there is no {SCHEMA}, which says what a manifest must hold"
    try:
        value = load(path).value
    except PvError:
        return Fields(), f"{SCHEMA} is there, and is no document that can be read"
    schema = value.get("schema") if isinstance(value, dict) else None
    required = _names(schema, "required_fields")
    if not required:
        return Fields(), f"{SCHEMA} has no schema.required_fields"
    return Fields(required, _names(schema, "provenance_required_fields")), ""


def lacking(held: Mapping[str, Any], required: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each of `required` that `held` has not, and how it has it not."""
    for field in required:
        value = held.get(field)
        if field not in held:
            yield field, "missing"
        elif value is None or (isinstance(value, str) and not value.strip()):
            yield field, "empty"


def _names(schema: Any, key: str) -> tuple[str, ...]:
    names = schema.get(key) if isinstance(schema, dict) else None
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()
