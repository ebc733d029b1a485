from __future__ import annotations

import re
from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "PM-SHAPE-003",
    "publish manifest",
    summary="sha256 is not 64 lower-case hexadecimal digits",
    remedy="Write it as sha256sum prints it, in quotes if it has no letter: it is compared as text.",
)
def manifest_digest(document: Document) -> Iterator[tuple[Location, str]]:
    """Find digests that no file can have."""
    digest = document.value.get("sha256")
    if digest is None or (isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest)):
        return
    yield document.where("sha256"), f"sha256 {str(digest)[:80]!r} is not 64 lower-case hexadecimal digits"
