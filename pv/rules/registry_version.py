from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "BINDING-001",
    "binding registry",
    summary="version is empty",
    remedy="Write the version of the registry.",
)
def registry_version(document: Document) -> Iterator[tuple[Location, str]]:
    """Find registries of which nobody can tell which one they are."""
    if not document.value["version"].strip():
        yield document.where("version"), "version must not be empty"
