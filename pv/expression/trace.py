"""What is said of one comparison: its sides, its margin and the samples that weigh most against it."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

__all__ = ["Case", "ComparisonTrace", "Shown"]

Shown: TypeAlias = int | float | str


@dataclasses.dataclass(frozen=True)
class Case:
    """One sample that speaks against the comparison: its label and number (from 0), and its value."""

    label: str | None
    index: int
    value: Shown

    def __str__(self) -> str:
        return f"{f'sample {self.index}' if self.label is None else self.label}: {self.value}"

    def to_json(self) -> dict[str, Any]:
        """Return the case as JSON values."""
        return {"label": self.label, "index": self.index, "value": self.value}


@dataclasses.dataclass(frozen=True)
class ComparisonTrace:
    """How one comparison came out.

    Parameters
    ----------
    text
        The comparison in canonical form.
    left, right
        What was compared; for ``all`` the sample with the smallest margin, for ``any`` with the largest.
    margin
        Signed distance to the threshold, positive on the side that passes, rounded to nearest; for ``==``
        minus the distance.
    relative
        `margin` over the size of the threshold, where one side is a number written in the rule and not 0.
    unit
        Unit of `left`, `right` and `margin`, where a metric gives it.
    worst
        The samples that weigh most against the comparison, worst first.
    would_pass
        The tightest threshold, in place of the one written, with which these measurements pass.
    """

    text: str
    truth: bool
    left: Shown | None = None
    operator: str | None = None
    right: Shown | None = None
    margin: int | float | None = None
    relative: float | None = None
    unit: str | None = None
    worst: tuple[Case, ...] = ()
    would_pass: int | float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the trace as JSON values; what is not known is left out."""
        document: dict[str, Any] = {"text": self.text, "truth": self.truth}
        for key in ("left", "operator", "right", "margin", "relative", "unit", "would_pass"):
            if (value := getattr(self, key)) is not None:
                document[key] = value
        if self.worst:
            document["worst"] = [case.to_json() for case in self.worst]
        return document
