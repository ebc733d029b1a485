from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.rules.artefact_rule import artefact_rule
from pv.schema_artefacts import contract_named


@artefact_rule(
    "BINDING-006",
    "binding registry",
    summary="two entries are about one equation",
    remedy="Keep one: whoever looks an equation up finds the first alone.",
)
def registry_twice(document: Document) -> Iterator[tuple[Location, str]]:
    """Find equations that are bound more than once; a contract is meant with its file's ending or without."""
    first: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(document.value["bindings"]):
        stem = contract_named(entry)
        before = first.setdefault((stem, entry["equation"]), index)
        if before != index:
            line = document.where("bindings", before).line
            where = document.where("bindings", index)
            yield where, f"{stem}, {entry['equation']} is bound already in line {line}"
