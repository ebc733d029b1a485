"""How equations look: text, LaTeX, JSON."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from pv.contract import Contract
from pv.equations import Spoken
from pv.notation import latex, segments, verbatim
from pv.printable import printable

__all__ = ["as_json", "tex", "text"]

Contracts = Sequence[tuple[Contract, Sequence[Spoken]]]


def text(contracts: Contracts) -> Iterator[str]:
    """Yield one block an equation: what it says, of what, and who speaks of it."""
    for contract, equations in contracts:
        yield printable(f"{contract.stem}: {len(equations)} equation(s)")
        for spoken in equations:
            yield printable(f"  {spoken.equation.name}")
            lines = spoken.equation.formula.strip().splitlines() or ["(no formula)"]
            yield from (printable(f"    {line.strip()}") for line in lines)
            for label, said in _said(spoken):
                yield printable(f"    {label:<13} {' '.join(said.split())}")
            if not (spoken.obligations or spoken.falsifiers):
                yield "    no obligation and no falsifier names it"


def tex(contracts: Contracts) -> Iterator[str]:
    """Yield LaTeX that a document can take in: needs amsmath and amssymb, and an engine that reads Unicode.

    What could not be read is printed as it was written.
    """
    yield "% Written by pv equations; needs amsmath and amssymb. What could not be read stands as written."
    for contract, equations in contracts:
        yield f"\\section*{{{verbatim(_letters(contract.stem))}}}"
        for spoken in equations:
            yield f"\\paragraph{{{verbatim(_letters(spoken.equation.name))}}}"
            yield f"\\[ {_letters(latex(spoken.equation.formula))} \\]"
            said = [f"\\item[{label}] {verbatim(_letters(one))}" for label, one in _said(spoken)]
            if said:
                yield from ("\\begin{description}", *said, "\\end{description}")


def as_json(contracts: Contracts) -> dict[str, Any]:
    """Return the stable form of ``--format json``; `latex_complete` says that nothing stands verbatim."""
    return {
        "contracts": [
            {
                "contract": contract.stem,
                "path": contract.path,
                "equations": [
                    {
                        "equation": spoken.equation.name,
                        "formula": spoken.equation.formula,
                        "latex": latex(spoken.equation.formula),
                        "latex_complete": all(
                            part.read or not part.text for part in segments(spoken.equation.formula)
                        ),
                        "domain": spoken.equation.domain,
                        "codomain": spoken.equation.codomain,
                        "invariants": list(spoken.equation.invariants),
                        "preconditions": list(spoken.preconditions),
                        "postconditions": list(spoken.postconditions),
                        "obligations": [
                            {"id": one.id, "type": one.type, "property": one.property}
                            for one in spoken.obligations
                        ],
                        "falsifiers": [f"{contract.stem}#{one.id}" for one in spoken.falsifiers],
                    }
                    for spoken in equations
                ],
            }
            for contract, equations in contracts
        ]
    }


def _said(spoken: Spoken) -> Iterator[tuple[str, str]]:
    equation = spoken.equation
    yield from (("domain", one) for one in (equation.domain,) if one)
    yield from (("codomain", one) for one in (equation.codomain,) if one)
    yield from (("invariant", one) for one in equation.invariants)
    yield from (("precondition", one) for one in spoken.preconditions)
    yield from (("postcondition", one) for one in spoken.postconditions)
    yield from (("obligation", f"{one.id or 'without id'}: {one.property}") for one in spoken.obligations)
    yield from (("falsifier", f"{one.id}: {one.rule}") for one in spoken.falsifiers)


def _letters(words: str) -> str:
    """Return `words` without what drives a terminal, a direction of writing or a job of CI.

    An escape would begin with a backslash, which LaTeX reads: such characters are left out instead.
    """
    shown = "".join(
        one if one == " " or unicodedata.category(one)[0] in "LMNPSZ" else "\N{REPLACEMENT CHARACTER}"
        for one in " ".join(words.split())
    )
    return shown.replace("##[", "## [").replace("::", ": :")
