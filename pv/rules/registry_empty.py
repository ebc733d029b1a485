from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "BINDING-003",
    "binding registry",
    summary="the registry binds nothing",
    remedy="Add an entry, or remove the file.",
)
def registry_empty(document: Document) -> Iterator[tuple[Location, str]]:
    """Find registries without an entry: nothing is never everything."""
    if not document.value["bindings"]:
        yield document.where("bindings"), "bindings must hold at least one entry"
