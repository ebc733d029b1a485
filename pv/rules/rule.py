"""What a semantic rule is: a code, a severity, a summary, a remedy and a function.

A :class:`Rule` needs one contract and nothing else. A :class:`ProjectRule` needs what stands around it:
checks, subjects, evidence, other contracts. What either says can weigh less, or be silent, in contracts
that use none of our fields: those were written for a tool that runs nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

from pv.contract import Contract
from pv.errors import Location
from pv.finding import Finding, Severity

if TYPE_CHECKING:
    from pv.project import Project

__all__ = [
    "Elsewhere",
    "Judge",
    "Offence",
    "ProjectJudge",
    "ProjectRule",
    "Rule",
    "project_rule",
    "rule",
    "uses_our_fields",
]

Elsewhere = Literal["error", "warning", "silent"]
"""What an offence is in a contract that uses none of our fields."""

Judge = Callable[[Contract], Iterable[tuple[Location, str]]]
"""Yields the place and the message of each offence."""


class Offence(NamedTuple):
    """An offence against a project rule; its own remedy, where it has one, replaces the rule's."""

    where: Location
    message: str
    remedy: str = ""


ProjectJudge = Callable[[Contract, "Project"], Iterable[Offence]]
"""Yields each offence of a contract in its project."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule that a contract of the right shape can still break.

    `severity` holds in contracts that use our fields, `elsewhere` in the others.
    """

    code: str
    severity: Severity
    elsewhere: Elsewhere
    summary: str
    remedy: str
    judge: Judge

    def check(self, contract: Contract) -> Iterable[Finding]:
        """Return a finding for each offence of `contract`."""
        severity = _severity(self, contract)
        if severity == "silent":
            return ()
        # No generator: of a thousand rules and contracts, one has something to say.
        return [
            Finding(where, self.code, severity, message, self.remedy)
            for where, message in self.judge(contract)
        ]


@dataclasses.dataclass(frozen=True)
class ProjectRule:
    """A rule about a contract and the project around it; its severities are those of a :class:`Rule`."""

    code: str
    severity: Severity
    elsewhere: Elsewhere
    summary: str
    remedy: str
    judge: ProjectJudge

    def check(self, contract: Contract, project: Project) -> Iterable[Finding]:
        """Return a finding for each offence of `contract`."""
        severity = _severity(self, contract)
        if severity == "silent":
            return ()
        return [
            Finding(where, self.code, severity, message, remedy or self.remedy)
            for where, message, remedy in self.judge(contract, project)
        ]


def uses_our_fields(contract: Contract) -> bool:
    """Tell whether a falsifier of `contract` says how it is measured or judged: only we have such keys."""
    return contract.uses_our_fields


def _severity(of: Rule | ProjectRule, contract: Contract) -> Elsewhere:
    if of.severity == of.elsewhere or uses_our_fields(contract):
        return of.severity
    return of.elsewhere


def rule(
    code: str, severity: Severity, *, elsewhere: Elsewhere | None = None, summary: str, remedy: str
) -> Callable[[Judge], Rule]:
    """Make a rule of the function that finds its offences; `elsewhere` is as `severity` by default."""

    def wrap(judge: Judge) -> Rule:
        return Rule(code, severity, elsewhere or severity, summary, remedy, judge)

    return wrap


def project_rule(
    code: str, severity: Severity, *, elsewhere: Elsewhere = "silent", summary: str, remedy: str
) -> Callable[[ProjectJudge], ProjectRule]:
    """Make a project rule of the function that finds its offences."""

    def wrap(judge: ProjectJudge) -> ProjectRule:
        return ProjectRule(code, severity, elsewhere, summary, remedy, judge)

    return wrap
