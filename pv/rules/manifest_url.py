from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "PM-SHAPE-005",
    "publish manifest",
    summary="artifact_url is not an https URL",
    remedy="Write the https:// URL from which the file is had.",
)
def manifest_url(document: Document) -> Iterator[tuple[Location, str]]:
    """Find addresses from which the file could be had altered, or not at all."""
    url = document.value.get("artifact_url")
    if url is None or (isinstance(url, str) and url.startswith("https://") and url != "https://"):
        return
    yield document.where("artifact_url"), f"artifact_url {str(url)[:80]!r} is not an https:// URL"
