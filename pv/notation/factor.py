"""The parts of a product, and where a slash between two of them is surely a fraction."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Literal

from pv.notation.symbols import NOT_NAMES
from pv.notation.tokens import UnreadableError

__all__ = ["BESIDE", "Factor", "FactorKind", "product"]

FactorKind = Literal["number", "letter", "pair", "long", "symbol", "group", "call", "open"]
BESIDE = ""
"""The operator between factors that stand beside each other."""

_BOUNDS = {"*", "·", "⋅", "×"}
"""What may stand before a fraction: ``a · b / c`` is the same whichever is done first."""


@dataclasses.dataclass(frozen=True)
class Factor:
    """One part of a product, in LaTeX.

    ``letter`` is one bare letter; ``pair`` two, which may be two factors; ``long`` a longer bare word;
    ``symbol`` a name that is surely one; ``group`` is in brackets; ``call`` has an argument; ``open`` is what
    may go on to the right, such as a sum.
    """

    latex: str
    kind: FactorKind
    spaced: bool = True
    inside: str = ""
    """Of a group in round brackets that has one part: what is within."""
    below: bool = True
    """Whether it is surely one thing where it stands below a slash: ``f(x)`` may be a product."""

    @property
    def bare(self) -> str:
        """The content, where brackets are not needed because something else encloses it."""
        return self.inside or self.latex


def product(factors: Sequence[Factor], operators: Sequence[str], signs: dict[str, str]) -> str:
    """Join `factors` by `operators`; `signs` is operator → LaTeX.

    ``a / b`` becomes a fraction only where no neighbour could belong to it: everything else keeps its slash.

    Raises
    ------
    UnreadableError
        What stands beside each other reads as prose.
    """
    for (left, right), operator in zip(itertools.pairwise(factors), operators, strict=True):
        if operator == BESIDE:
            _refuse_prose(left, right)
    out: list[str] = []
    index = 0
    while index < len(factors):
        before = operators[index - 1] if index else None
        here = factors[index]
        if index < len(operators) and operators[index] == "/":
            below = factors[index + 1]
            after = operators[index + 1] if index + 1 < len(operators) else None
            if (
                (before is None or before in _BOUNDS)
                and (after is None or after == "*")
                and _closed(here, below)
            ):
                out += [_joint(before, here, signs), f"\\frac{{{here.bare}}}{{{below.bare}}}"]
                index += 2
                continue
        out += [_joint(before, here, signs), here.latex]
        index += 1
    return "".join(out)


def _closed(above: Factor, below: Factor) -> bool:
    return above.kind != "open" and below.kind not in {"open", "pair"} and below.below


def _joint(operator: str | None, factor: Factor, signs: dict[str, str]) -> str:
    if operator is None:
        return ""
    if operator == BESIDE:
        return "\\," if factor.spaced else " "
    return f" {signs[operator]} "


def _refuse_prose(left: Factor, right: Factor) -> None:
    words = ("pair", "long")
    english = [one.latex for one in (left, right) if one.kind == "pair" and one.latex in NOT_NAMES]
    if (
        (left.kind in words and right.kind in words)
        or (
            "long" in {left.kind, right.kind}
            and not (left.kind == "number" or "group" in {left.kind, right.kind})
        )
        or english
        or (right.kind == "number" and left.kind != "open")
    ):
        raise UnreadableError(f"{left.latex} {right.latex}")
