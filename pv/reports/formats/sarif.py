"""SARIF 2.1.0, for code scanning (https://docs.oasis-open.org/sarif/sarif/v2.1.0/).

Findings, and the falsifiers that did not pass, are results at their line of YAML. A waived failure is a
suppressed result. What passed is left out: code scanning would show it as an alert. What passed only when it
was tried again is shown. Fingerprints hold neither lines nor columns, so an alert stays the same one when its
contract is edited above it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import Any
from urllib.parse import quote

from pv.errors import Location
from pv.finding import Finding
from pv.printable import printable_json
from pv.reports.model import Report, Result

__all__ = ["FINGERPRINT", "write"]

FINGERPRINT = "pv/v1"
"""The name of our fingerprint; its number grows when what it is made of changes."""

RETRIED = "RETRIED"
"""The rule of what passed, though not at once."""
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"failed": "error", "broken": "error", "waived": "error", "declined": "note"}
_MEANS = {
    "FAIL": "What a falsifier measured contradicts its rule",
    "FALSIFIED": "Evidence contradicts the falsifier's rule",
    "VACUOUS": "The falsifier does not notice its own counter-example, so it shows nothing",
    "DECLINED": "The falsifier could not be judged on this host",
    "UNBOUND": "Nothing is bound to the falsifier, or it was never run",
    "STALE": "The evidence is of another clause, check or subject than those of now",
    "NOT BEGUN": "The falsifier was to run, and the command ended before",
    "ERROR": "The run of the falsifier broke",
    RETRIED: "The falsifier was judged only when it was tried again",
}
_PLACES = re.compile(r"\b(lines?|columns?) [0-9]+|:[0-9]+(:[0-9]+)?\b")


def write(report: Report) -> str:
    """Return the log, in ASCII."""
    results = [_of_finding(finding) for finding in report.findings]
    results += [
        _of_result(one, _LEVELS.get(one.grade, "note"))
        for one in report.results
        if one.grade in _LEVELS or one.attempts
    ]
    _number_twins(results)
    named = sorted({result["ruleId"] for result in results})
    for result in results:
        result["ruleIndex"] = named.index(result["ruleId"])
    run = {
        "tool": {
            "driver": {
                "name": "pv",
                "version": report.version,
                "rules": [_rule(name) for name in named],
            }
        },
        "automationDetails": {"id": f"pv/{report.command}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "results": results,
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return printable_json(json.dumps(log, indent=1, allow_nan=False)) + "\n"


def _rule(name: str) -> dict[str, Any]:
    if means := _MEANS.get(name):
        return {"id": name, "shortDescription": {"text": f"{means}."}}
    return {
        "id": name,
        "shortDescription": {"text": f"{name}: a rule for contracts."},
        "help": {"text": f"`pv explain {name}` says why the rule is there, with examples."},
    }


def _of_finding(finding: Finding) -> dict[str, Any]:
    return {
        "ruleId": finding.code,
        "level": finding.severity,
        "message": {"text": f"{finding.message}\n{finding.remedy}".strip() or finding.code},
        "locations": [_location(finding.where)],
        "partialFingerprints": _fingerprint(finding.code, finding.where.path, _placeless(finding.message)),
    }


def _of_result(result: Result, level: str) -> dict[str, Any]:
    told = [f"{result.address}: {result.summary}", result.rule]
    told += result.earlier
    told += [f"worst: {case}" for case in result.worst]
    told += [f"reproduce: {result.reproduce}"] if result.reproduce else []
    rule = result.word.upper() if result.grade in _LEVELS else RETRIED
    found: dict[str, Any] = {
        "ruleId": rule,
        "level": level,
        "message": {"text": "\n".join(told)},
        "locations": [_location(result.where)],
        "partialFingerprints": _fingerprint(rule, result.where.path, result.address),
    }
    if result.grade == "waived":
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": result.waived}]
    return found


def _location(where: Location) -> dict[str, Any]:
    path = quote(where.path, errors="surrogateescape")  # names of files are bytes
    uri = f"file://{path}" if path.startswith("/") else path
    region = {"startLine": where.line, "startColumn": where.column}
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


def _placeless(message: str) -> str:
    return _PLACES.sub("", message)


def _fingerprint(*parts: str) -> dict[str, str]:
    # Parted by what cannot stand in a path or an address, so that no two lists of parts are one text.
    data = "\0".join(parts).encode("utf-8", "backslashreplace")
    return {FINGERPRINT: hashlib.sha256(data).hexdigest()}


def _number_twins(results: list[dict[str, Any]]) -> None:
    """Tell results of one fingerprint apart, by their order in the file."""
    seen: Counter[str] = Counter()
    for result in results:
        fingerprint = result["partialFingerprints"][FINGERPRINT]
        seen[fingerprint] += 1
        if seen[fingerprint] > 1:
            result["partialFingerprints"][FINGERPRINT] = f"{fingerprint}:{seen[fingerprint]}"


def _invocation(report: Report) -> dict[str, Any]:
    told: dict[str, Any] = {"executionSuccessful": not report.error, "exitCode": int(report.ended)}
    if report.started:
        told["startTimeUtc"] = report.started.replace("+00:00", "Z")
    if report.error:
        told["toolExecutionNotifications"] = [{"level": "error", "message": {"text": report.error}}]
    return told
