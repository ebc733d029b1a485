"""The links of a chain that lead to what can run and to what ran: falsifier → check → evidence."""

from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract, Falsifier
from pv.evidence import records_of
from pv.finding import Finding
from pv.project import Project
from pv.rules.basis import basis
from pv.rules.binding import binding
from pv.rules.plant import plant
from pv.status import Status
from pv.tally import wanting
from pv.traceability import Link, Strength
from pv.traceability_codes import found

__all__ = ["executed_links", "unbound_links"]

_KEYS = {
    "check": "check",
    "property": "stated_property",
    "pytest": "pytest",
    "command": "command",
    "basis": "basis",
}
"""Key of a contract by which a falsifier is bound → the attribute that has it."""
_BORNE_OUT = frozenset({"DISCHARGED", "FUNCTIONAL", "PARTIAL_ALGORITHM_LEVEL", "REFUTED"})


def unbound_links(contract: Contract, *, ours: bool) -> Iterator[Link | Finding]:
    """Yield the broken links of falsifiers that are bound to nothing; of those excluded there is none."""
    for falsifier in contract.falsifiers:
        if not (falsifier.excluded or falsifier.bound):
            where = falsifier.where
            yield Link("falsifier → check", falsifier.id, "", "broken", where)
            test = ": what `test:` says is prose" if falsifier.test and falsifier.test.strip() else ""
            yield found("PV-CHAIN-005", where, f"{falsifier.id} is bound to no check{test}", ours=ours)


def executed_links(contract: Contract, project: Project) -> Iterator[Link | Finding]:
    """Yield the links of the falsifiers that are bound, to the check and from there to its evidence."""
    findings = [found for rule in (binding, plant, basis) for found in rule.check(contract, project)]
    yield from findings
    # Each begins with the id that it is about; an id may have colons in it, and no blank.
    broken = {finding.message.partition(": ")[0] for finding in findings}
    for falsifier in contract.falsifiers:
        if falsifier.excluded or not falsifier.bound:
            continue
        key = next(key for key, attribute in _KEYS.items() if getattr(falsifier, attribute))
        where, named = falsifier.value_where(key), _named(falsifier)
        if falsifier.id in broken:
            yield Link("falsifier → check", falsifier.id, named, "broken", where)
            continue
        yield Link("falsifier → check", falsifier.id, named, "resolves", where)
        status = project.status(contract, falsifier)
        code = _complaint(contract, falsifier, status, project)
        strength: Strength = "executed" if code == "PV-CHAIN-007" else "broken" if code else "verified"
        end = "" if code == "PV-CHAIN-006" else status.name
        yield Link("check → evidence", falsifier.id, end, strength, falsifier.where)
        if code:
            yield _finding(code, contract, falsifier, status, project)


def _named(falsifier: Falsifier) -> str:
    if falsifier.basis:
        return ", ".join(sorted({cited.falsifier for cited in falsifier.basis.values()}))
    if falsifier.stated_property is not None:
        return f"{falsifier.stated_property['type']} of {falsifier.stated_property['subject']}"
    return falsifier.check or falsifier.pytest or " ".join(falsifier.command or ())


def _complaint(contract: Contract, falsifier: Falsifier, status: Status, project: Project) -> str:
    """Return the code of what is wrong with the evidence; empty where it bears the claim out."""
    if status.name in _BORNE_OUT:
        return ""
    if status.name == "STALE":
        return "PV-CHAIN-007"
    if status.name != "UNBOUND":
        return "PV-CHAIN-009"
    if not records_of(project.config.evidence, contract.stem, falsifier.id):
        return "PV-CHAIN-006"
    # Records that count for nothing are of other bytes or devices, or are not to be believed.
    return "PV-CHAIN-006" if status.reason.startswith("no evidence on") else "PV-CHAIN-008"


def _finding(
    code: str, contract: Contract, falsifier: Falsifier, status: Status, project: Project
) -> Finding:
    word = "" if status.name in {"UNBOUND", "STALE"} else f" is {status.name}"
    remedy = f"{status.step[0].upper()}{status.step[1:]}" if status.step else ""
    if code in {"PV-CHAIN-006", "PV-CHAIN-007"}:
        wants = wanting(falsifier, project.config) if code == "PV-CHAIN-006" else ()
        steps = "; ".join((*wants, f"pv discharge {contract.stem}#{falsifier.id}"))
        remedy = f"Discharge it: {steps}"
    return found(code, falsifier.where, f"{falsifier.id}{word}: {status.reason}", remedy=remedy)
