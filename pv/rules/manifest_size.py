from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "PM-SHAPE-004",
    "publish manifest",
    summary="size_bytes is not a positive integer",
    remedy="Write the length of the published file in bytes.",
)
def manifest_size(document: Document) -> Iterator[tuple[Location, str]]:
    """Find sizes that no file with anything in it has."""
    value = document.value
    if "size_bytes" not in value:
        return
    size = value["size_bytes"]
    if isinstance(size, bool) or not isinstance(size, int) or size <= 0:
        yield document.where("size_bytes"), f"size_bytes {str(size)[:80]!r} is not a positive integer"
