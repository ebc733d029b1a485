from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.publish_manifest import SCHEMA, fields_of
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "PM-SHAPE-000",
    "publish manifest",
    summary="the contract that says what a manifest must hold is not there",
    remedy=f"Put {SCHEMA} beside the manifest or at most two folders above, with schema.required_fields.",
)
def manifest_schema(document: Document) -> Iterator[tuple[Location, str]]:
    """Find manifests that nothing can be asked of."""
    _, complaint = fields_of(document)
    if complaint:
        yield document.where(), complaint
