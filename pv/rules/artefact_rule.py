"""What a rule about another artefact than a contract is: a :class:`pv.rules.rule.Rule` of its document."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from pv.document import Document
from pv.errors import Location
from pv.finding import Finding, Severity

__all__ = ["ArtefactJudge", "ArtefactRule", "artefact_rule"]

ArtefactJudge = Callable[[Document], Iterable[tuple[Location, str]]]
"""Yields the place and the message of each offence."""


@dataclasses.dataclass(frozen=True)
class ArtefactRule:
    """A rule that an `artefact` can break; every offence is an error."""

    code: str
    artefact: str
    summary: str
    remedy: str
    judge: ArtefactJudge
    severity: Severity = "error"
    elsewhere: Severity = "error"

    def check(self, document: Document) -> Iterator[Finding]:
        """Yield a finding for each offence of `document`."""
        for where, message in self.judge(document):
            yield Finding(where, self.code, self.severity, message, self.remedy)


def artefact_rule(
    code: str, artefact: str, *, summary: str, remedy: str
) -> Callable[[ArtefactJudge], ArtefactRule]:
    """Make a rule of the function that finds its offences in an `artefact`."""

    def wrap(judge: ArtefactJudge) -> ArtefactRule:
        return ArtefactRule(code, artefact, summary, remedy, judge)

    return wrap
