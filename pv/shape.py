"""From a document to a contract, or to every problem of its shape at once."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, TypeVar

from pydantic_core import ValidationError

from pv.contract import (
    Cited,
    Clause,
    Contract,
    Equation,
    Falsifier,
    Harness,
    Hypothesis,
    NotAContractError,
    Obligation,
    QaGate,
    Replacement,
    Runs,
    ShapeError,
)
from pv.document import Document
from pv.needs import Needs
from pv.schema import equation_name, validator
from pv.shape_problems import contradictions, problem, translate

__all__ = ["build"]

Path = tuple[str | int, ...]
Part = TypeVar("Part", bound=Clause)


def build(document: Document) -> Contract:
    """Type `document`.

    Raises
    ------
    ShapeError, NotAContractError
        See :func:`pv.contract.load_contract`.
    """
    value = document.value
    if not isinstance(value, dict):
        _waivers(document)
        what = "a contract is a mapping with metadata, not a list or a scalar"
        raise ShapeError((problem(document.where(), what, "Begin with `metadata:`."),))
    if "metadata" not in value:
        _other_artefact(document)
    findings = list(contradictions(document))
    try:
        model = validator().validate_python(value, strict=True)
    except ValidationError as error:
        findings += translate(error, document)
    if findings:
        raise ShapeError(tuple(sorted(findings, key=lambda finding: finding.where)))
    return _contract(model, document)


def _waivers(document: Document) -> None:
    """Recognise waivers, which stand where ``pv validate .`` finds them; their own command checks them."""
    listed = document.value
    keys = {"id", "approver", "expires"}
    if isinstance(listed, list) and any(isinstance(entry, dict) and keys <= entry.keys() for entry in listed):
        raise NotAContractError("list of waivers", document.where())


def _other_artefact(document: Document) -> None:
    # Imported late: most files are contracts.
    from pv.artefacts import recognise

    where = document.where()
    artefact = recognise(document.value)
    if artefact is not None:
        raise NotAContractError(artefact, where, document)
    remedy = "Add `metadata:` with version, description and references, or name contracts only."
    raise ShapeError((problem(where, "metadata is missing: this is not a contract", remedy),))


def _contract(model: dict[str, Any], document: Document) -> Contract:
    value = document.value
    metadata = model["metadata"]
    kind = metadata["kind"] or "kernel"
    equations = value.get("equations") or {}
    names = (
        {equation_name(item, index): index for index, item in enumerate(equations)}
        if isinstance(equations, list)
        else {name: name for name in equations}
    )
    return Contract(
        path=document.path,
        stem=PurePath(document.path).stem,
        version=metadata["version"],
        kind="registry" if metadata["registry"] and kind == "kernel" else kind,
        kind_declared=metadata["kind"] is not None,
        registry=metadata["registry"],
        model=metadata["model"],
        references=tuple(metadata["references"]),
        depends_on=tuple(metadata["depends_on"]),
        metadata=value["metadata"],
        equations=tuple(
            _made(
                Equation,
                **_place(document, ("equations", names[name])),
                name=name,
                formula=item["formula"],
                domain=item["domain"],
                codomain=item["codomain"],
                invariants=tuple(item["invariants"]),
            )
            for name, item in model["equations"].items()
        ),
        obligations=tuple(
            _made(
                Obligation,
                **_place(document, ("proof_obligations", index)),
                id=item["id"],
                type=item["type"],
                property=item["property"],
                formal=item["formal"],
                tolerance=item["tolerance"],
                applies_to=item["applies_to"],
                requires=item["requires"],
                applies_to_phase=item["applies_to_phase"],
                parent_contract=item["parent_contract"],
                not_applicable=item["not_applicable"] or item["applies_to"] == "not_applicable",
                na_reason=item["na_reason"],
                na_owner=item["na_owner"],
                proved=item["lean"] is not None and item["lean"]["status"] == "proved",
                exhaustive=item["exhaustive"],
            )
            for index, item in enumerate(model["proof_obligations"])
        ),
        falsifiers=tuple(
            _falsifier(item, document, ("falsification_tests", index))
            for index, item in enumerate(model["falsification_tests"])
        ),
        hypotheses=tuple(
            Hypothesis(
                **_place(document, ("hypotheses", index)),
                id=item["id"],
                statement=item["statement"],
                predicts=item["predicts"],
                then=item["then"],
            )
            for index, item in enumerate(model["hypotheses"])
        ),
        kani=tuple(
            _made(
                Harness,
                **_place(document, ("kani_harnesses", index)),
                id=item["id"],
                obligation=item["obligation"],
                bound=item["bound"],
                strategy=item["strategy"],
                harness=item["harness"],
            )
            for index, item in enumerate(model["kani_harnesses"])
        ),
        qa_gate=None
        if model["qa_gate"] is None
        else QaGate(
            **_place(document, ("qa_gate",)),
            id=model["qa_gate"]["id"],
            name=model["qa_gate"]["name"],
            checks=tuple(model["qa_gate"]["checks"]),
        ),
        document=document,
    )


def _place(document: Document, path: Path) -> dict[str, Any]:
    raw = document.value
    for step in path:
        raw = raw[step]
    return {"raw": raw, "path": path, "document": document}


def _made(kind: type[Part], **fields: Any) -> Part:
    """Return a frozen `kind` with `fields`, which are all that it has: a test counts them.

    Its own ``__init__`` sets each by a call, which of a contract takes as long as to check its shape.
    """
    made = object.__new__(kind)
    vars(made).update(fields)
    return made


def _falsifier(item: dict[str, Any], document: Document, path: Path) -> Falsifier:
    place = _place(document, path)
    plants = item["counter_examples"]
    return _made(
        Falsifier,
        **place,
        id=item["id"],
        rule=item["rule"],
        prediction=item["prediction"],
        if_fails=item["if_fails"],
        test=item["command"] if isinstance(item["command"], str) else item["test"],
        covers=tuple(item["covers"]),
        aliases=tuple(item["aliases"]),
        check=item["check"],
        pytest=item["pytest"],
        command=tuple(item["command"]) if isinstance(item["command"], list) else None,
        stated_property=dict(item["property"]) if isinstance(item["property"], dict) else None,
        arguments=dict(item["with"]),
        subjects={level: dict(roles) for level, roles in item["subjects"].items()}
        if item["subjects"]
        else {},
        expect={level: tuple(lines) for level, lines in item["expect"].items()} if item["expect"] else {},
        metrics=tuple(item["metrics"]),
        counter_examples=None if plants is None else tuple(plants),
        replacements={name: _replacement(plant) for name, plant in plants.items()}
        if isinstance(plants, dict)
        else {},
        must_detect=dict(item["must_detect"]),
        environment=dict(item["environment"]),
        sources=tuple(item["sources"]),
        basis={
            name: Cited(cited["falsifier"], cited["metric"], cited["level"])
            for name, cited in item["basis"].items()
        }
        if item["basis"]
        else {},
        blocks=tuple(item["blocks"]),
        blocked_by=tuple(item["blocked_by"]),
        model=item["model"],
        needs={
            level: Needs(
                needs["memory"], needs["timeout"], needs["gpu"], tuple(needs["modules"]), needs["network"]
            )
            for level, needs in item["needs"].items()
        }
        if item["needs"]
        else {},
        ship_blocking=item["ship_blocking"],
        discharge_status=item["discharge_status"],
        outcome=item["outcome"],
        satisfying_example=place["raw"].get("satisfying_example"),
        excluded=item["excluded"],
        retries=item["retries"],
        bound_to=tuple(item["bound_to"]),
        runs=None
        if item["runs"] is None
        else Runs(item["runs"]["by"], item["runs"]["at_least"], tuple(item["runs"]["seeds"])),
    )


def _replacement(item: dict[str, Any]) -> Replacement:
    arguments = item["arguments"]
    return Replacement(
        subjects=dict(item["subjects"]),
        environment=dict(item["environment"]),
        modules=dict(item["modules"]),
        arguments=None if arguments is None else tuple(arguments),
    )
