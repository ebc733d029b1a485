from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "PV-COUNT-001",
    "warning",
    summary="a count under verification_summary is not what the contract holds",
    remedy="Correct the number, or remove it: whoever needs it can count.",
)
def summary(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find counts that were typed, and drifted; of what was shown, at most what is there can have been.

    How many obligations there are is for SCHEMA-024 to compare.
    """
    stated = contract.document.value.get("verification_summary")
    if not isinstance(stated, dict):
        return
    obligations, harnesses = len(contract.obligations), len(contract.kani)
    proved = sum(obligation.proved for obligation in contract.obligations)
    inapplicable = sum(obligation.not_applicable for obligation in contract.obligations)
    names_lean = any("lean" in obligation.raw for obligation in contract.obligations)
    names_inapplicable = inapplicable or any("not_applicable" in each.raw for each in contract.obligations)

    def number(key: str) -> int:
        value = stated.get(key)
        return value if isinstance(value, int) else 0

    complaints = {
        key: (number(key) > obligations, f"{obligations} obligation(s)")
        for key in ("proven", "tested", "discharged")
    } | {
        "l2_property_tested": (number("l2_property_tested") > obligations, f"{obligations} obligation(s)"),
        "l3_kani_proved": (
            number("l3_kani_proved") > min(obligations, harnesses),
            f"{obligations} obligation(s) and {harnesses} harness(es)",
        ),
        "l4_lean_proved": (
            number("l4_lean_proved") > (proved if names_lean else obligations),
            f"{proved} proof(s)" if names_lean else f"{obligations} obligation(s)",
        ),
        "l4_not_applicable": (
            number("l4_not_applicable") > obligations
            or (names_inapplicable and number("l4_not_applicable") != inapplicable),
            f"{inapplicable} obligation(s) that are not applicable",
        ),
    }
    for key, (wrong, there) in complaints.items():
        if wrong and key in stated:
            where = contract.document.where("verification_summary", key)
            yield where, f"{key} is {stated[key]}, but the contract holds {there}"
