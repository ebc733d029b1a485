from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "BINDING-002",
    "binding registry",
    summary="target_crate is empty",
    remedy="Name the crate whose functions the entries are about.",
)
def registry_crate(document: Document) -> Iterator[tuple[Location, str]]:
    """Find registries of no crate."""
    if not document.value["target_crate"].strip():
        yield document.where("target_crate"), "target_crate must not be empty"
