"""What a semantic rule is: a code, a severity, a summary, a remedy and a function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.finding import Finding, Severity

__all__ = ["Judge", "Rule", "rule"]

Judge = Callable[[Contract], Iterable[tuple[Location, str]]]
"""Yields the place and the message of each offence."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule that a contract of the right shape can still break."""

    code: str
    severity: Severity
    summary: str
    remedy: str
    judge: Judge

    def check(self, contract: Contract) -> Iterator[Finding]:
        """Yield a finding for each offence of `contract`."""
        for where, message in self.judge(contract):
            yield Finding(where, self.code, self.severity, message, self.remedy)


def rule(code: str, severity: Severity, *, summary: str, remedy: str) -> Callable[[Judge], Rule]:
    """Make a rule of the function that finds its offences."""

    def wrap(judge: Judge) -> Rule:
        return Rule(code, severity, summary, remedy, judge)

    return wrap
