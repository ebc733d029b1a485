"""The semantic rules, by code, and what they all say of a contract."""

from __future__ import annotations

from pv.contract import Contract
from pv.finding import Finding
from pv.rules.covers import covers
from pv.rules.dropped import dropped
from pv.rules.equations import equations
from pv.rules.excluded import excluded
from pv.rules.expectation import expectation
from pv.rules.falsifier_id import falsifier_id
from pv.rules.formal import formal
from pv.rules.formula import formula
from pv.rules.harness_bound import harness_bound
from pv.rules.harness_id import harness_id
from pv.rules.harness_obligation import harness_obligation
from pv.rules.harness_target import harness_target
from pv.rules.if_fails import if_fails
from pv.rules.look_alike import look_alike
from pv.rules.na_owner import na_owner
from pv.rules.na_reason import na_reason
from pv.rules.near_miss import near_miss
from pv.rules.near_miss_key import near_miss_key
from pv.rules.not_applicable import not_applicable
from pv.rules.obligation_count import obligation_count
from pv.rules.obligation_property import obligation_property
from pv.rules.parent import parent
from pv.rules.parent_dependency import parent_dependency
from pv.rules.phase import phase
from pv.rules.prediction import prediction
from pv.rules.provability import provability
from pv.rules.qa_gate import qa_gate
from pv.rules.references import references
from pv.rules.requires import requires
from pv.rules.rule import Rule, uses_our_fields
from pv.rules.summary import summary
from pv.rules.top_level_kind import top_level_kind
from pv.rules.uncovered import uncovered
from pv.rules.version import version

__all__ = ["RULES", "Rule", "judge", "names_files", "needs_all_of_project", "needs_project"]

RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        references,
        version,
        equations,
        formula,
        obligation_property,
        formal,
        falsifier_id,
        prediction,
        if_fails,
        harness_id,
        harness_obligation,
        harness_bound,
        qa_gate,
        provability,
        expectation,
        uncovered,
        covers,
        look_alike,
        harness_target,
        summary,
        requires,
        phase,
        parent,
        parent_dependency,
        top_level_kind,
        near_miss,
        na_reason,
        na_owner,
        not_applicable,
        obligation_count,
        near_miss_key,
        dropped,
        excluded,
    )
}


_KINDS = frozenset({"beat-benchmark", "kaizen"})
_OF_STORIES = frozenset({"competitor", "demand_score"})


def judge(contract: Contract) -> list[Finding]:
    """Return what every rule says of `contract`, sorted by place, then code."""
    findings = [finding for rule in RULES.values() for finding in rule.check(contract)]
    stories = "stories" in contract.document.value or not _OF_STORIES.isdisjoint(contract.metadata)
    if contract.kind in _KINDS or stories:
        # Imported late: few contracts are of such a kind.
        from pv.rules.kind_rules import KIND_RULES

        findings += [finding for rule in KIND_RULES.values() for finding in rule.check(contract)]
    return sorted(findings, key=lambda finding: (finding.where, finding.code)) if findings else findings


def needs_project(contract: Contract) -> bool:
    """Tell whether the rules of :mod:`pv.rules.project_rules` have anything to say of `contract`.

    A contract that uses none of our fields, claims no status and names no file of its repository must
    not wait until checks, evidence and configuration are read.
    """
    return needs_all_of_project(contract) or names_files(contract)


def needs_all_of_project(contract: Contract) -> bool:
    """Tell whether more of them have than the one that looks for the files that it names."""
    if uses_our_fields(contract) or contract.document.value.get("status") or contract.metadata.get("status"):
        return True
    return bool(contract.hypotheses) or any(
        f.discharge_status or f.blocks or f.blocked_by for f in contract.falsifiers
    )


def names_files(contract: Contract) -> bool:
    """Tell whether `contract` names a file of its repository."""
    from pv.references import find_references, texts_and_steps

    return any(any(find_references(text)) for text, _, _ in texts_and_steps(contract))
