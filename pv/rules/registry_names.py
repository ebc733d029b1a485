from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "BINDING-004",
    "binding registry",
    summary="an entry leaves contract or equation empty",
    remedy="Name the contract's file and the equation that the function implements.",
)
def registry_names(document: Document) -> Iterator[tuple[Location, str]]:
    """Find entries that are about no equation."""
    for index, entry in enumerate(document.value["bindings"]):
        for key in ("contract", "equation"):
            if not entry[key].strip():
                yield document.where("bindings", index, key), f"bindings[{index}].{key} must not be empty"
