from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pv.contract import Contract
from pv.errors import Location
from pv.rules.keys import known_keys, misspelt
from pv.rules.rule import rule

_NAMES = frozenset({"falsification", "falsifiers", "falsifications", "gates", "invariants", "obligations"})
"""Names of blocks that assert something, whatever stands in them."""
_ASSERTS = frozenset({
    "falsifier", "falsification", "falsification_id", "prediction", "if_fails", "fails_if", "ship_blocking",
    "verdict", "discharge_status", "evidence_discharged_by", "binds_to",
})  # fmt: skip
"""Keys that only an assertion has."""
_OF_FALSIFIERS = frozenset({"verdict", "discharge_status", "evidence_discharged_by"})
"""Of these, those that say that something was shown: of a whole contract, only its falsifiers say it."""

_SHOWN = frozenset({"verdict", "discharged_evidence", "evidence_discharged_by", "harness_discharged_by"})
"""Keys of a falsifier by which somebody wrote down that something was shown."""
_STATUSES = frozenset({
    "PARTIAL_ALGORITHM_LEVEL", "FUNCTIONAL", "DISCHARGED", "PASS", "PASSED", "PROVED", "VERIFIED",
})  # fmt: skip
"""Words that do the same, under ``status`` of a falsifier."""

_KAIZEN = frozenset({"invariants"})
"""What the Rust tool reads in contracts of that kind, and so do we."""


@rule(
    "PV-DROPPED-001",
    "warning",
    summary="what asserts something is read by nothing",
    remedy="Write what is asserted as proof_obligations and falsification_tests, which are judged: of "
    "`falsification:`, `pv migrate` makes them. What was shown is what evidence shows, and needs no words.",
)
def dropped(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find gates and falsifiers that stand where neither the Rust tool nor we look, and typed results."""
    yield from _typed_results(contract)
    value = contract.document.value
    known = known_keys("contract")
    for key in contract.metadata:
        if key in _OF_FALSIFIERS:
            where = contract.document.where_key("metadata", key)
            yield where, f"metadata.{key} asserts something and is read by nothing"
    for key, block in value.items():
        if key in known or (contract.kind == "kaizen" and key in _KAIZEN):
            continue
        named = key in _NAMES and isinstance(block, dict | list) and bool(block)
        # What is a slip of a block that is read is SCHEMA-019's to report.
        if (named or _asserts(block)) and not [*misspelt({key: block}, "contract")]:
            yield (
                contract.document.where_key(key),
                f"the block {key} asserts something and is read by nothing",
            )


def _typed_results(contract: Contract) -> Iterator[tuple[Location, str]]:
    for falsifier in contract.falsifiers:
        for key in falsifier.raw:
            typed = falsifier.raw[key] if key == "status" else None
            if key in _SHOWN or (isinstance(typed, str) and typed.strip().upper() in _STATUSES):
                what = f"{falsifier.id}: {key} says that something was shown, and no status follows from it"
                yield falsifier.key_where(key), what
    summary = contract.document.value.get("verification_summary")
    if isinstance(summary, dict) and "status" in summary:
        where = contract.document.where_key("verification_summary", "status")
        yield where, "verification_summary.status says that something was shown, and is read by nothing"


def _asserts(value: Any) -> bool:
    """Tell whether a mapping with an assertion's key, or an id that is a falsifier's, lies in `value`."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            name = item.get("id")
            if _ASSERTS & item.keys() or (isinstance(name, str) and name.startswith(("FALSIFY-", "GATE-"))):
                return True
            waiting += item.values()
    return False
