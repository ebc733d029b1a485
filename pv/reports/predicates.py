"""Records as in-toto statements that other tools know: the test-result predicate.

https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md, version 0.1. It has no place
for measurements, thresholds or what was not run: those stay in the record, whose digest the statement has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from pv.evidence import STATEMENT_TYPE, Record
from pv.evidence_transfer import Carried

__all__ = ["PREDICATES", "TEST_RESULT", "results_of_tests"]

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
Pair: TypeAlias = tuple[Carried, Record]
"""A record's bytes, and the record as verified."""


def results_of_tests(records: Iterable[Pair]) -> list[dict[str, Any]]:
    """Return a statement for each set of artefacts that `records` are about, in the order of their names.

    A statement says of all its subjects that its tests ran on them, so records of other artefacts never share
    one. A test is ``contract#ID at LEVEL on DEVICE``, with the key of the run where a claim is about several.
    One that passed and missed a counter-example is one that warned: it has not shown that it can fail.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Pair]] = {}
    for pair in sorted(records, key=lambda pair: pair[0].name):
        artefacts = pair[1].predicate["subjects"].values()
        key = tuple(sorted((str(one["name"]), str(one["sha256"])) for one in artefacts))
        groups.setdefault(key or _code_of(pair[1]), []).append(pair)
    return [_statement(subjects, group) for subjects, group in groups.items()]


def _code_of(record: Record) -> tuple[tuple[str, str], ...]:
    """Return what a record without artefacts is about: the code of its check."""
    predicate = record.predicate
    return ((f"check:{predicate['check']['reference']}", str(predicate["inputs"]["check"])),)


def _statement(subjects: Sequence[tuple[str, str]], group: Sequence[Pair]) -> dict[str, Any]:
    found: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    configuration: dict[str, dict[str, Any]] = {}
    for carried, record in group:
        predicate = record.predicate
        found[_list_of(predicate)].append(_test_name(predicate))
        stated = predicate["falsifier"]
        clause = f"clause:{stated['contract']}#{stated['id']}"
        check = f"check:{predicate['check']['reference']}"
        for name, digest in ((clause, predicate["inputs"]["clause"]), (check, predicate["inputs"]["check"])):
            configuration[name] = {"name": name, "digest": {"sha256": digest}}
        configuration[carried.name] = {
            "name": carried.name,
            "digest": {"sha256": hashlib.sha256(carried.data).hexdigest()},
            "mediaType": "application/vnd.in-toto+json",
        }
    result = "FAILED" if found["failedTests"] else "WARNED" if found["warnedTests"] else "PASSED"
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in dict.fromkeys(subjects)],
        "predicateType": TEST_RESULT,
        "predicate": {"result": result, "configuration": list(configuration.values()), **found},
    }


def _list_of(predicate: Mapping[str, Any]) -> str:
    if predicate["verdict"]["outcome"] != "Pass":
        return "failedTests"
    missed = any(not plant["caught"] for plant in predicate.get("counter_examples", {}).values())
    return "warnedTests" if missed else "passedTests"


def _test_name(predicate: Mapping[str, Any]) -> str:
    stated, place = predicate["falsifier"], predicate["place"]
    run = f", {place['run']}" if place.get("run") else ""
    return f"{stated['contract']}#{stated['id']} at {place['level']} level on {place['device']}{run}"


PREDICATES: Mapping[str, Callable[[Iterable[Pair]], list[dict[str, Any]]]] = {"test-result": results_of_tests}
"""What `pv evidence export --predicate` takes."""
