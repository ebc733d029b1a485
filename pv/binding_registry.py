"""A binding registry: which function a project says computes which equation. It says so, and shows nothing.

``pv`` of Rust counts every obligation of a contract as covered once one of its equations is bound. Here an
entry is a declaration and no more, whatever its status.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic_core import SchemaValidator, ValidationError

from pv.contract import Contract
from pv.document import load
from pv.errors import ContractError, Location
from pv.finding import Finding
from pv.traceability import Link
from pv.traceability_codes import found

__all__ = ["Entry", "Registry", "implementation_links", "load_registry"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry: the equation of a contract, what is said to compute it, and how far."""

    equation: str
    function: str
    status: str
    notes: str
    where: Location


@dataclasses.dataclass(frozen=True)
class Registry:
    """The entries by the contract's name without its ending."""

    path: str
    entries: Mapping[str, tuple[Entry, ...]]


@functools.cache
def _validator() -> SchemaValidator:
    # Imported late: whoever names no registry needs no schema of one.
    from pydantic_core import core_schema as core

    from pv.schema_types import OPTIONAL_TEXT, TEXT, default, mapping, one_of

    entry = {
        "contract": TEXT,
        "equation": TEXT,
        "module_path": default(None, OPTIONAL_TEXT),
        "function": default(None, OPTIONAL_TEXT),
        "status": one_of("implemented", "partial", "not_implemented"),
        "notes": default(None, OPTIONAL_TEXT),
    }
    return SchemaValidator(
        mapping("registry", {"bindings": core.list_schema(mapping("binding entry", entry))})
    )


def load_registry(path: str) -> Registry:
    """Read the registry `path`.

    Raises
    ------
    SelectionError
        There is no such file.
    DocumentError
        It is not a YAML document that we accept.
    ContractError
        It does not have the shape of a registry; the place is that of the first problem.
    """
    document = load(Path(path))
    try:
        model: dict[str, Any] = _validator().validate_python(document.value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = tuple(part for part in first["loc"] if not isinstance(part, str) or "[" not in part)
        raise ContractError(
            f"this is no binding registry: {'.'.join(map(str, at)) or 'the document'}: {first['msg']}",
            where=document.where(*at[:-1]) if first["type"] == "missing" else document.where(*at),
            remedy="list under `bindings:` mappings with contract, equation and status"
            " (implemented, partial or not_implemented)",
            code="SCHEMA-000",
        ) from error
    entries: dict[str, tuple[Entry, ...]] = {}
    for index, stated in enumerate(model["bindings"]):
        function = "::".join(filter(None, (stated["module_path"], stated["function"])))
        where = document.where("bindings", index, "equation")
        entry = Entry(stated["equation"], function, stated["status"], stated["notes"] or "", where)
        # Not all behind the last point: a name may have one of its own.
        stem = PurePosixPath(stated["contract"]).name.removesuffix(".yaml").removesuffix(".yml")
        entries[stem] = (*entries.get(stem, ()), entry)
    return Registry(path, entries)


def implementation_links(contract: Contract, registry: Registry) -> Iterator[Link | Finding]:
    """Yield what `registry` says of each equation of `contract`, and what of it is missing or dangles."""
    entries = registry.entries.get(contract.stem, ())
    for equation in contract.equations:
        bound = [entry for entry in entries if entry.equation == equation.name]
        if not bound:
            where = contract.document.where_key(*equation.path)
            yield Link("equation → implementation", equation.name, "", "broken", where)
            yield found("BIND-001", where, f"{registry.path} has no entry for the equation {equation.name}")
        for entry in bound:
            missing = entry.status == "not_implemented"
            yield Link(
                "equation → implementation",
                equation.name,
                "" if missing else entry.function,
                "broken" if missing else "declared",
                entry.where,
            )
            if entry.status != "implemented":
                notes = f": {' '.join(entry.notes.split())}" if entry.notes.strip() else ""
                code, words = ("BIND-003", "not implemented") if missing else ("BIND-002", "in part")
                said = f"{contract.stem}: the equation {entry.equation} is implemented {words}"
                yield found(code, entry.where, said.replace("implemented not ", "not ") + notes)
    names = {equation.name for equation in contract.equations}
    for entry in entries:
        if entry.equation not in names:
            message = f"{contract.stem} has no equation {entry.equation}"
            yield found("PV-CHAIN-011", entry.where, message)
