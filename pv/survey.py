"""The boundary survey: what a rule says where it turns, what it refuses, and whether it can fail at all.

No check runs. Samples are made up around each threshold, and the rule itself is asked. Defects are a verdict
that differs from plain arithmetic, a line that nothing admissible fails, a rule that nothing satisfies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.check import Metric
from pv.defects import Defect, parts_of, proved_defects, read_rule
from pv.errors import EvidenceError
from pv.expression.boundary import comparisons
from pv.expression.kinds import mismatch
from pv.expression.probe import Probe, SurveyPoint
from pv.expression.search import search
from pv.expression.syntax import Comparison, Node, names, render

__all__ = ["Defect", "Survey", "SurveyPoint", "survey"]


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
    roots = read_rule(rule)
    proved = proved_defects(roots, metrics)
    if any(defect.kind == "undeclared" for defect in proved):
        return Survey((), proved, ())
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
    searched = (
        () if any(defect.kind == "unsatisfiable" for defect in proved) else _search(roots, metrics, proved)
    )
    return Survey(tuple(points), (*wrong, *proved, *searched), tuple(unsurveyed))


def _search(
    roots: Sequence[Node], metrics: Mapping[str, Metric], proved: Sequence[Defect]
) -> Iterator[Defect]:
    """Yield what a search could not show: that something passes, and that something fails each part."""
    parts = parts_of(roots)
    always = {defect.text for defect in proved if defect.kind == "tautology"}
    passing, failed = search(parts, metrics)
    if passing is None:
        rule = " and ".join(render(part) for part in parts)
        yield Defect("undetermined", rule, "no measurement that passes was found by search")
    for part in parts:
        if part not in failed and render(part) not in always:
            yield Defect("undetermined", render(part), "no measurement that fails it was found by search")
