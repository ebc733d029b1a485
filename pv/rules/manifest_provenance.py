from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.publish_manifest import fields_of, lacking
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "PM-SHAPE-002",
    "publish manifest",
    summary="a field that the provenance must have is missing or empty",
    remedy="Write it: without it, nobody can tell where the model came from.",
)
def manifest_provenance(document: Document) -> Iterator[tuple[Location, str]]:
    """Find what the provenance owes, by the list in the contract of manifests."""
    provenance = document.value["provenance"]
    if isinstance(provenance, dict):
        for field, why in lacking(provenance, fields_of(document)[0].provenance):
            yield document.where_key("provenance", field), f"provenance.{field} is {why}"
    elif provenance is not None:
        yield document.where("provenance"), "provenance is not a mapping"
