"""A binding registry: which function a project says computes which equation. It says so, and shows nothing.

``pv`` of Rust counts every obligation of a contract as covered once one of its equations is bound. Here an
entry is a declaration and no more, whatever its status.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pv.contract import Contract
from pv.document import load
from pv.errors import ContractError, Location
from pv.finding import Finding
from pv.traceability import Link
from pv.traceability_codes import found

__all__ = ["Entry", "Registry", "implementation_links", "load_registry"]

_SHORT: Mapping[str, tuple[str, str]] = {
    "partial": ("BIND-002", "implemented in part"),
    "not_implemented": ("BIND-003", "not implemented"),
    "pending": ("BIND-004", "planned and not begun"),
}
"""Status of an entry that falls short of its equation → the code that says so, and what the equation is."""
_MISSING = frozenset({"not_implemented", "pending"})
"""The statuses by which nothing computes the equation yet, whatever function is named."""


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


def load_registry(path: str) -> Registry:
    """Read the registry `path`; one that ``pv validate`` finds misshapen is refused in the same words.

    Raises
    ------
    SelectionError
        There is no such file.
    DocumentError
        It is not a YAML document that we accept.
    ContractError
        It is another document than a registry.
    ShapeError
        It is one, and does not have the shape of one; the error carries every problem.
    """
    # Imported late: whoever names no registry needs no schema of one.
    from pv.artefacts import read_registry, recognise
    from pv.schema_artefacts import contract_named

    document = load(Path(path))
    if not isinstance(document.value, dict) or recognise(document.value) != "binding registry":
        raise ContractError(
            "this is no binding registry, which is a mapping with `bindings` and `target_crate`",
            where=document.where(),
            remedy="Name a registry, or add the key that is missing.",
            code="SCHEMA-000",
        )
    entries: dict[str, tuple[Entry, ...]] = {}
    for index, stated in enumerate(read_registry(document)["bindings"]):
        function = "::".join(filter(None, (stated["module_path"], stated["function"])))
        where = document.where("bindings", index, "equation")
        entry = Entry(stated["equation"], function, stated["status"], stated["notes"] or "", where)
        stem = PurePosixPath(contract_named(stated)).name
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
            missing = entry.status in _MISSING
            yield Link(
                "equation → implementation",
                equation.name,
                "" if missing else entry.function,
                "broken" if missing else "declared",
                entry.where,
            )
            if entry.status in _SHORT:
                notes = f": {' '.join(entry.notes.split())}" if entry.notes.strip() else ""
                code, words = _SHORT[entry.status]
                said = f"{contract.stem}: the equation {entry.equation} is {words}"
                yield found(code, entry.where, f"{said}{notes}")
    names = {equation.name for equation in contract.equations}
    for entry in entries:
        if entry.equation not in names:
            message = f"{contract.stem} has no equation {entry.equation}"
            yield found("PV-CHAIN-011", entry.where, message)
