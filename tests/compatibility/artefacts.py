"""What the Rust tool says of files that are no contracts: binding registries and publish manifests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from tests.compatibility.shapes import need, optional


def artefact(document: dict[str, Any]) -> str:
    """Return what the document is, by its shape alone."""
    if "metadata" not in document:
        if "bindings" in document and "target_crate" in document:
            return "binding"
        if "model_id" in document and "provenance" in document:
            return "manifest"
    return "contract"


def registry_violations(document: dict[str, Any]) -> Iterator[str]:
    """Yield the code of every violation of a binding registry.

    That BINDING-001 is about the version is inferred: it is the one number that the sources we saw leave out,
    and the version the one field.
    """
    need(isinstance(document.get("version"), str))
    need(isinstance(document["target_crate"], str))
    need(isinstance(document["bindings"], list))
    seen = set()
    for entry in document["bindings"]:
        need(isinstance(entry, dict))
        need(isinstance(entry.get("contract"), str) and isinstance(entry.get("equation"), str))
        need(entry.get("status") in {"implemented", "partial", "not_implemented", "pending"})
        for key in ("module_path", "function", "signature", "notes"):
            optional(entry.get(key), str)
    if not document["version"].strip():
        yield "BINDING-001"
    if not document["target_crate"].strip():
        yield "BINDING-002"
    if not document["bindings"]:
        yield "BINDING-003"
    for entry in document["bindings"]:
        yield from ["BINDING-004"] * sum(not entry[key].strip() for key in ("contract", "equation"))
        told = [(entry.get(key) or "").strip() for key in ("module_path", "function", "notes")]
        if entry["status"] == "implemented" and not any(told):
            yield "BINDING-005"
        stem = entry["contract"]
        for ending in (".yaml", ".yml"):
            stem = stem.removesuffix(ending)
        if (stem, entry["equation"]) in seen:
            yield "BINDING-006"
        seen.add((stem, entry["equation"]))


def manifest_violations(document: dict[str, Any], owner: str | None) -> Iterator[str]:
    """Yield the code of every violation of a manifest, by the lists of the contract `owner`."""
    lists = yaml.safe_load(owner).get("schema") if owner is not None else None
    if lists is None:
        yield "PM-SHAPE-000"
        return
    yield from lacking(document, lists.get("required_fields", []), "PM-SHAPE-001")
    if isinstance(document["provenance"], dict):
        yield from lacking(
            document["provenance"], lists.get("provenance_required_fields", []), "PM-SHAPE-002"
        )
    digest, size, url = (document.get(key) for key in ("sha256", "size_bytes", "artifact_url"))
    if isinstance(digest, str) and not (len(digest) == 64 and set(digest) <= set("0123456789abcdef")):
        yield "PM-SHAPE-003"
    if "size_bytes" in document and not (type(size) is int and size > 0):
        yield "PM-SHAPE-004"
    if isinstance(url, str) and not (url.startswith("https://") and len(url) > len("https://")):
        yield "PM-SHAPE-005"


def lacking(held: dict[str, Any], fields: list[str], code: str) -> Iterator[str]:
    for field in fields:
        value = held.get(field)
        if value is None or (isinstance(value, str) and not value.strip()):
            yield code
