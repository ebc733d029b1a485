from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.kaizen import record
from pv.rules.rule import rule


@rule(
    "KAIZEN-004",
    "error",
    summary="target cannot be compared with baseline",
    remedy="Write both as mappings of metric to value, with a metric in common.",
)
def kaizen_pair(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find targets that improve on nothing."""
    value = record(contract)
    if value is None or value.get("target") is None:
        return
    baseline, target = value.get("baseline"), value["target"]
    if not isinstance(target, dict):
        yield contract.document.where("target"), "target is not a mapping of metric to value"
    elif not isinstance(baseline, dict):
        yield contract.document.where_key("target"), "target has no baseline to be compared with"
    elif not baseline.keys() & target.keys():
        yield contract.document.where("target"), "baseline and target have no metric in common"
