"""Verify a record: nothing was edited since, and the measurements still give the verdict.

The stored verdict is a convenience for readers. Here it is computed again, with those of the
survey and of every counter-example, and any difference is an error that names the section.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pv.canonical import canonical, digest_of
from pv.check import CheckError, Metric
from pv.commitment import commitment
from pv.errors import EvidenceError, ExpressionError
from pv.evidence import PREDICATE_TYPE, SCHEMA_VERSION, Record, record_path, sections, subjects_of
from pv.inputs import contradiction
from pv.runs import judged_measurements
from pv.verdict import judge, passes

__all__ = ["metrics_from_json", "metrics_to_json", "verify"]

_CONTRADICTED = "does not follow from the measurements"


def verify(record: Record, *, outcomes_only: bool = False, anywhere: bool = False) -> None:
    """Verify `record`, whatever the tree holds now (freshness is another question).

    With `outcomes_only`, each verdict's outcome is computed again, not its explanation, and the survey
    is left to whoever holds the rule itself: enough for a status, at a third of the time. A record that lies
    `anywhere` need not lie where its claim, level, subject and device say.

    Raises
    ------
    EvidenceError
        A section was altered, two sections contradict each other, or a verdict does not follow.
    """
    try:
        _verify(record, outcomes_only=outcomes_only, anywhere=anywhere)
    except (
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        ArithmeticError,
        CheckError,
        ExpressionError,
    ) as error:
        raise _error(
            record, "statement", f"has not the shape of a record ({type(error).__name__}: {error})"
        ) from error


def _verify(record: Record, *, outcomes_only: bool, anywhere: bool) -> None:
    whole, predicate = record.statement, record.predicate
    parts = sections(whole)
    sealed: Mapping[str, Any] = predicate["seal"]
    for name in sorted({*parts, *sealed}):
        if name not in parts:
            raise _error(record, name, "is sealed but gone")
        if sealed.get(name) != digest_of(parts[name]):
            raise _error(record, name, "was altered after it was sealed")
    if whole["predicateType"] != PREDICATE_TYPE or predicate["schema_version"] != SCHEMA_VERSION:
        raise _error(record, "schema_version", "is not one that this version reads")
    if not anywhere:
        _verify_place(record)
    if whole["subject"] != subjects_of(predicate):
        raise _error(record, "subject", "does not repeat the digests of inputs and subjects")
    for role, subject in predicate["subjects"].items():
        if predicate["inputs"]["artefacts"].get(role) != (subject["build_key"] or subject["sha256"]):
            raise _error(record, "inputs", f"and section subjects disagree about role {role}")
    if fault := contradiction(predicate["inputs"]):
        raise _error(record, "inputs", fault)
    rule: Sequence[str] = predicate["rule"]["lines"]
    metrics = metrics_from_json(predicate["rule"]["metrics"])
    follows = _outcome_follows if outcomes_only else _verdict_follows
    if not follows(rule, metrics, predicate):
        raise _error(record, "verdict", _CONTRADICTED)
    if not outcomes_only and "survey" in predicate and not _survey_follows(predicate):
        raise _error(record, "survey", "is not what the rule gives")
    if not outcomes_only and "commitment" in predicate and not _committed(predicate):
        raise _error(record, "commitment", "is not that of the measurements")
    for name, plant in predicate.get("counter_examples", {}).items():
        if not follows(rule, metrics, plant):
            raise _error(record, f"counter_examples.{name}", _CONTRADICTED)
        if plant["caught"] != (plant["verdict"]["outcome"] == "Fail"):
            raise _error(record, f"counter_examples.{name}", "states another end than its verdict")
        if not _dose_follows(predicate, plant):
            raise _error(record, f"counter_examples.{name}", "is not what its dose makes of the measurements")
        if plant.get("whole", True) is not True and not _failed_early(rule, metrics, plant):
            raise _error(record, f"counter_examples.{name}", "was cut short before its verdict was certain")
    if "detection" in predicate and (kind := _detection_contradicts(predicate)):
        raise _error(record, f"detection.{kind}", "contradicts the counter-examples")
    example = predicate.get("satisfying_example")
    if example is not None and not follows(rule, metrics, example):
        raise _error(record, "satisfying_example", _CONTRADICTED)


def _committed(predicate: Mapping[str, Any]) -> bool:
    return bool(predicate["commitment"] == commitment(predicate["measurements"]))


def _verdict_follows(rule: Sequence[str], metrics: Mapping[str, Metric], part: Mapping[str, Any]) -> bool:
    again = judge(rule, judged_measurements(part), metrics).to_json()
    return bool(again == part["verdict"])


def _failed_early(rule: Sequence[str], metrics: Mapping[str, Metric], plant: Mapping[str, Any]) -> bool:
    from pv.defects import read_rule  # of few records
    from pv.expression.settled import failed_already

    return failed_already(read_rule(rule), judged_measurements(plant), metrics)


def _dose_follows(predicate: Mapping[str, Any], plant: Mapping[str, Any]) -> bool:
    """Tell whether a damaged series is what its dose makes of the measured one; a run is as it was."""
    if not (stated := plant.get("dose")) or not stated["on_series"]:
        return True
    from pv.dosing import Dosed, dosed_series  # of few records

    damaged = dosed_series(judged_measurements(predicate), Dosed.from_json(stated))
    return bool(judged_measurements(plant) == damaged)


def _detection_contradicts(predicate: Mapping[str, Any]) -> str:
    from pv.detection import contradiction  # of few records

    return contradiction(predicate)


def _outcome_follows(rule: Sequence[str], metrics: Mapping[str, Metric], part: Mapping[str, Any]) -> bool:
    outcome = "Pass" if passes(rule, judged_measurements(part), metrics) else "Fail"
    return bool(part["verdict"]["outcome"] == outcome)


def _survey_follows(part: Mapping[str, Any]) -> bool:
    rule = part["rule"]
    return _survey_of(canonical([rule["lines"], rule["metrics"]])) == canonical(part["survey"])


# By the spelling of the rule: most records of a history have that of the one before, and it is a search.
@functools.lru_cache(maxsize=1024)
def _survey_of(spelled: bytes) -> bytes:
    from pv.survey import survey  # half of the rest's start-up, and not needed for a status

    lines, metrics = json.loads(spelled)
    return canonical(survey(lines, metrics_from_json(metrics)).to_json())


def _verify_place(record: Record) -> None:
    falsifier, place = record.predicate["falsifier"], record.predicate["place"]
    expected = record_path(
        record.path.parents[2],
        falsifier["contract"],
        falsifier["id"],
        place["level"],
        place["subject"],
        place["device"],
        place.get("run"),
    )
    if expected != record.path:
        raise _error(
            record, "place", f"says {expected.relative_to(record.path.parents[2])}, but it lies elsewhere"
        )


def metrics_to_json(metrics: Mapping[str, Metric]) -> list[dict[str, Any]]:
    """Return the declared metrics as plain values, sorted by name."""
    return [
        {"name": m.name, "unit": m.unit, "low": m.low, "high": m.high, "slack": m.slack, "kind": m.kind}
        for _, m in sorted(metrics.items())
    ]


def metrics_from_json(listed: Sequence[Mapping[str, Any]]) -> dict[str, Metric]:
    """Return the inverse of :func:`metrics_to_json`.

    Raises
    ------
    CheckError
        One could not have been declared.
    """
    return {entry["name"]: Metric(**entry) for entry in listed}


def _error(record: Record, section: str, what: str) -> EvidenceError:
    shown = "/".join(record.path.parts[-3:])
    return EvidenceError(
        f"{shown}: section {section} {what}", remedy="restore it from git, or discharge again"
    )
