"""Files beside contracts that are none, recognised by their shape, and what is judged of them.

A file without ``metadata`` is no contract. A binding registry and a publish manifest have rules of their
own (:mod:`pv.rules.artefact_rules`), and are judged wherever they stand and whatever they are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import ValidationError

from pv.contract import NotAContractError, ShapeError
from pv.document import Document
from pv.finding import Finding
from pv.schema_artefacts import registry_validator
from pv.shape_problems import translate

__all__ = ["NOUNS", "judge_artefact", "read_registry", "recognise"]

NOUNS: Mapping[str, str] = {
    "binding registry": "Binding registry (kind: binding)",
    "publish manifest": "Publish manifest (kind: publish-manifest)",
}
"""Artefact that is judged → what the summary calls it, in the words of the Rust tool."""

_SHAPES = (
    ("binding registry", {"bindings", "target_crate"}),
    ("publish manifest", {"model_id", "provenance"}),
)
_SCHEMAS = (
    ("external-corpora declaration", "ont.paiml.dev/external-corpora/"),
    ("ontology", "ont-sigma-"),
)
"""Artefact of the Rust tool that is known and not judged → how the text of its ``schema`` begins."""


def recognise(value: Mapping[str, Any]) -> str | None:
    """Return what a mapping without ``metadata`` is; None where that is nothing known."""
    for artefact, keys in _SHAPES:
        if keys <= value.keys():
            return artefact
    schema = value.get("schema")
    if isinstance(schema, str):
        return next((artefact for artefact, start in _SCHEMAS if schema.startswith(start)), None)
    return None


def judge_artefact(note: NotAContractError) -> list[Finding] | None:
    """Return what is wrong with the artefact of `note`, sorted by place; None where it has no rules.

    Of a binding registry that does not have the shape of one, only that is said, all of it at once.
    """
    if note.artefact not in NOUNS or note.document is None:
        return None
    if note.artefact == "binding registry":
        try:
            read_registry(note.document)
        except ShapeError as error:
            return list(error.findings)
    # Imported late: few folders have such files.
    from pv.rules.artefact_rules import ARTEFACT_RULES

    findings = [
        finding
        for rule in ARTEFACT_RULES.values()
        if rule.artefact == note.artefact
        for finding in rule.check(note.document)
    ]
    return sorted(findings, key=lambda finding: (finding.where, finding.code))


def read_registry(document: Document) -> dict[str, Any]:
    """Return the binding registry `document` with every default filled in, whatever else is wrong with it.

    Raises
    ------
    ShapeError
        It does not have the shape of one; the error carries every problem, sorted by place.
    """
    try:
        registry: dict[str, Any] = registry_validator().validate_python(document.value, strict=True)
    except ValidationError as error:
        findings = sorted(translate(error, document), key=lambda finding: finding.where)
        raise ShapeError(tuple(findings)) from error
    return registry
