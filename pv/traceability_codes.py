"""What ``pv audit`` says of a chain by codes of its own, and how a finding of one is made.

Where a rule of ``pv validate`` sees the broken link already, that rule's code is used instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from pv.errors import Location
from pv.finding import Finding, Severity

__all__ = ["CODES", "found"]

_ASK = "State under proof_obligations what must be true of it"

CODES: Mapping[str, tuple[Severity, Severity, str, str]] = {
    "AUDIT-001": (
        "warning",
        "warning",
        "a contract claims something and has no falsifier",
        "Add falsification_tests: what would show that it is wrong?",
    ),
    "AUDIT-002": (
        "error",
        "error",
        "a Kani harness names no obligation",
        "Name the proof obligation that the harness is for.",
    ),
    "AUDIT-003": (
        "warning",
        "warning",
        "a contract has equations and no proof obligation",
        f"{_ASK}.",
    ),
    "BIND-001": (
        "error",
        "error",
        "the binding registry has no entry for an equation",
        "Add an entry, with status not_implemented while nothing computes it.",
    ),
    "BIND-002": (
        "warning",
        "warning",
        "the binding registry says that an equation is implemented in part",
        "Implement the rest, or say in the contract what is left out.",
    ),
    "BIND-003": (
        "warning",
        "warning",
        "the binding registry says that an equation is not implemented",
        "Implement it, or take the claim out of the contract.",
    ),
    "BIND-004": (
        "warning",
        "warning",
        "the binding registry says that an equation is planned and not begun",
        "Implement it and correct the entry, or take the claim out of the contract.",
    ),
    "PV-CHAIN-001": (
        "warning",
        "warning",
        "no proof obligation applies to an equation",
        f"{_ASK}, with `applies_to:` and its name.",
    ),
    "PV-CHAIN-002": (
        "error",
        "warning",
        "an obligation applies to what its contract does not have",
        "Name an equation of the contract, or write all, scalar, simd or converter.",
    ),
    "PV-CHAIN-003": (
        "warning",
        "warning",
        "a falsifier covers no obligation",
        "List under `covers:` the ids of the obligations that it would refute.",
    ),
    "PV-CHAIN-004": (
        "warning",
        "warning",
        "a Lean module or theorem that a contract refers to is not there",
        "Correct the name, or take the claim of a proof out.",
    ),
    "PV-CHAIN-005": (
        "warning",
        "warning",
        "a falsifier is bound to nothing that could run",
        "Add check:, pytest: or command:; `pv scaffold` writes a skeleton.",
    ),
    "PV-CHAIN-006": (
        "warning",
        "warning",
        "a falsifier is bound, and no evidence shows that it ran",
        "Discharge it.",
    ),
    "PV-CHAIN-007": (
        "warning",
        "warning",
        "the evidence of a falsifier is of something that changed since",
        "Discharge it again.",
    ),
    "PV-CHAIN-008": (
        "error",
        "error",
        "the evidence of a falsifier does not verify, or does not say what its clause says",
        "Find out who altered it; then discharge it again.",
    ),
    "PV-CHAIN-009": (
        "error",
        "error",
        "the evidence of a falsifier speaks against the claim, or its rule can show nothing",
        "Mend what was measured, or the claim; `pv explain` of its id says more.",
    ),
    "PV-CHAIN-010": (
        "warning",
        "warning",
        "an equation cites a source that metadata.references does not list",
        "List the source there, in the words by which the equation cites it.",
    ),
    "PV-CHAIN-011": (
        "error",
        "error",
        "the binding registry has an entry for an equation that its contract does not have",
        "Correct the name, or remove the entry.",
    ),
}
"""Code → severity in contracts that use our fields, severity in others, summary, remedy."""


def found(code: str, where: Location, message: str, *, ours: bool = True, remedy: str = "") -> Finding:
    """Return the finding `code`, with its usual remedy where none is given.

    `ours` says whether it is of a contract that uses our fields (:func:`pv.rules.rule.uses_our_fields`).
    """
    here, elsewhere, _, usual = CODES[code]
    return Finding(where, code, here if ours else elsewhere, message, remedy or usual)
