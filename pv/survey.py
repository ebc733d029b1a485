"""The boundary survey: what a rule says where it turns, what it refuses, and whether it can fail at all.

No check runs. Samples are made up around each threshold, and the rule itself is asked. Defects are a verdict
that differs from plain arithmetic, a line that nothing admissible fails, a rule that nothing satisfies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pv.check import Metric
from pv.errors import EvidenceError, ExpressionError
from pv.expression import parse
from pv.expression.boundary import comparisons
from pv.expression.interval import Bounds, contradictory, decide
from pv.expression.kinds import mismatch
from pv.expression.probe import Probe, SurveyPoint
from pv.expression.search import search
from pv.expression.syntax import Comparison, Node, conjuncts, names, render

__all__ = ["Defect", "Survey", "SurveyPoint", "survey"]

Kind = Literal["wrong", "tautology", "unsatisfiable", "undeclared", "undetermined"]


@dataclasses.dataclass(frozen=True)
class Defect:
    """Why the rule is no good. ``undetermined`` is only a note: neither shown sound nor unsound."""

    kind: Kind
    text: str
    message: str


@dataclasses.dataclass(frozen=True)
class Survey:
    """The result; `unsurveyed` are comparisons whose turning point could not be derived."""

    points: tuple[SurveyPoint, ...]
    defects: tuple[Defect, ...]
    unsurveyed: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether there is no defect but notes."""
        return all(defect.kind == "undetermined" for defect in self.defects)

    def to_json(self) -> dict[str, Any]:
        """Return the survey as JSON values, the same for the same rule."""
        return {
            "points": [dataclasses.asdict(point) for point in self.points],
            "defects": [dataclasses.asdict(defect) for defect in self.defects],
            "unsurveyed": list(self.unsurveyed),
        }

    @classmethod
    def from_json(cls, document: Any) -> Survey:
        """Return the inverse of :meth:`to_json`.

        Raises
        ------
        EvidenceError
            The document has another shape.
        """
        try:
            return cls(
                tuple(SurveyPoint(**point) for point in document["points"]),
                tuple(Defect(**defect) for defect in document["defects"]),
                tuple(str(text) for text in document["unsurveyed"]),
            )
        except (KeyError, TypeError) as error:
            raise EvidenceError(
                f"the recorded survey is malformed ({type(error).__name__}: {error})",
                remedy="record the evidence again",
            ) from None


def survey(rule: Sequence[str], metrics: Mapping[str, Metric]) -> Survey:
    """Survey a rule.

    Parameters
    ----------
    rule
        The lines of ``expect``, all of which must hold.
    metrics
        The metrics that the check declares, by name.

    Raises
    ------
    ExpressionError
        The rule has no line, or a line is not of the language.
    """
    if isinstance(rule, str) or not rule:
        raise ExpressionError(
            "the rule has no line, so that anything would satisfy it",
            remedy="write expect: with a list of at least one comparison",
        )
    roots = [parse(text).root for text in rule]
    undeclared = sorted(frozenset().union(*map(names, roots)) - set(metrics))
    if undeclared:
        found = tuple(
            Defect("undeclared", name, f"the check declares no metric {name}; the rule can only fail")
            for name in undeclared
        )
        return Survey((), found, ())
    points: list[SurveyPoint] = []
    unsurveyed: list[str] = []
    for quantifier, left, symbol, right in dict.fromkeys(
        link for root in roots for link in comparisons(root) if names(link[1]) | names(link[3])
    ):
        probe = Probe(quantifier, left, symbol, right, metrics)
        mixed = mismatch(Comparison((left, right), (symbol,)), metrics)
        found_points = [] if mixed else list(probe.points())
        points += found_points
        if not found_points:
            unsurveyed.append(probe.text)
    wrong = [
        Defect("wrong", point.comparison, f"{point.case}: says {point.outcome}, must say {point.expected}")
        for point in points
        if point.expected != point.outcome
    ]
    return Survey(tuple(points), (*wrong, *_reach(roots, metrics)), tuple(unsurveyed))


def _reach(roots: Sequence[Node], metrics: Mapping[str, Metric]) -> Iterator[Defect]:
    """Yield which parts no admissible measurement fails, and whether none satisfies them all."""
    parts = list(dict.fromkeys(part for root in roots for part in conjuncts(root)))
    rule = " and ".join(render(part) for part in parts)
    always = [part for part in parts if decide(part, Bounds(metrics)) is True]
    for part in always:
        yield Defect("tautology", render(part), "no value that the metrics can have makes it false")
    mixed = [found for part in parts if (found := mismatch(part, metrics))]
    if mixed:
        yield Defect("unsatisfiable", rule, f"{mixed[0]}, which can only fail")
        return
    if contradictory(parts, metrics):
        yield Defect("unsatisfiable", rule, "no values that the metrics can have make it true")
        return
    passing, failed = search(parts, metrics)
    if passing is None:
        yield Defect("undetermined", rule, "no measurement that passes was found by search")
    for part in parts:
        if part not in failed and part not in always:
            yield Defect("undetermined", render(part), "no measurement that fails it was found by search")
