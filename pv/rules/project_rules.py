"""The rules that need the project, by code. Imported only for contracts that have something to ask of it."""

from __future__ import annotations

from pv.contract import Contract
from pv.finding import Finding
from pv.project import Project
from pv.rules.basis import basis
from pv.rules.binding import binding
from pv.rules.blocking import blocking
from pv.rules.dangling import dangling
from pv.rules.hypothesis import hypothesis
from pv.rules.limit import limit
from pv.rules.looking import looking
from pv.rules.metric import metric
from pv.rules.no_plant import no_plant
from pv.rules.outsized import outsized
from pv.rules.parameters import parameters
from pv.rules.plant import plant
from pv.rules.prose_plant import prose_plant
from pv.rules.rule import ProjectRule
from pv.rules.state import state
from pv.rules.status_above import status_above
from pv.rules.status_stale import status_stale
from pv.rules.status_unknown import status_unknown
from pv.rules.subject import subject
from pv.rules.tautology import tautology
from pv.rules.unique_id import unique_id
from pv.rules.unique_stem import unique_stem
from pv.rules.unsatisfiable import unsatisfiable
from pv.rules.version_bump import version_bump

__all__ = ["PROJECT_RULES", "judge_in_project"]

PROJECT_RULES: dict[str, ProjectRule] = {
    rule.code: rule
    for rule in (
        binding,
        basis,
        parameters,
        looking,
        subject,
        metric,
        tautology,
        unsatisfiable,
        plant,
        no_plant,
        prose_plant,
        unique_id,
        unique_stem,
        blocking,
        hypothesis,
        limit,
        outsized,
        dangling,
        version_bump,
        state,
        status_above,
        status_stale,
        status_unknown,
    )
}


def judge_in_project(contract: Contract, project: Project) -> list[Finding]:
    """Return what every rule says of `contract` in its `project`, sorted by place, then code.

    Raises
    ------
    ConfigError
        The project's ``pv.toml`` cannot be read.
    """
    findings = [finding for rule in PROJECT_RULES.values() for finding in rule.check(contract, project)]
    return sorted(findings, key=_order)


def _order(finding: Finding) -> tuple[str, int, int, str]:
    where = finding.where
    return where.path, where.line, where.column, finding.code
