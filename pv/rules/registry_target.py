from __future__ import annotations

from collections.abc import Iterator

from pv.document import Document
from pv.errors import Location
from pv.rules.artefact_rule import artefact_rule


@artefact_rule(
    "BINDING-005",
    "binding registry",
    summary="an entry is implemented, and names nothing that implements it",
    remedy="Name module_path and function, say under notes what discharges it, or correct the status.",
)
def registry_target(document: Document) -> Iterator[tuple[Location, str]]:
    """Find entries that claim a function and name none; notes may name a script instead."""
    for index, entry in enumerate(document.value["bindings"]):
        named = any((entry.get(key) or "").strip() for key in ("module_path", "function", "notes"))
        if entry["status"] == "implemented" and not named:
            name = f"{entry['contract']}, {entry['equation']}"
            yield (
                document.where("bindings", index, "status"),
                f"{name}: implemented, by nothing that is named",
            )
