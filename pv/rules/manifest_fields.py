from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.publish_manifest import fields_of, lacking
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "PM-SHAPE-001",
    "publish manifest",
    summary="a field that a manifest must have is missing or empty",
    remedy="Write it: without it, nobody can tell what was published.",
)
def manifest_fields(document: Document) -> Iterator[tuple[Location, str]]:
    """Find what the manifest owes, by the list in the contract of manifests."""
    for field, why in lacking(document.value, fields_of(document)[0].required):
        yield document.where_key(field), f"{field} is {why}"
