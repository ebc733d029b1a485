"""What a discharge is going to do, said before it does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pv.contract import LEVELS, Contract, Falsifier
from pv.freshness import base_level
from pv.needs import spell_modules
from pv.planning import levels_of
from pv.printable import printable

__all__ = ["plan"]

_NAMED = 3
"""Of more falsifiers than these, only the count is told."""


def plan(chosen: Iterable[tuple[Contract, Falsifier]]) -> Iterator[str]:
    """Yield the lines of the plan: how many are bound, and of a few what is planted and judged where."""
    everything = list(chosen)
    bound = [(c, f) for c, f in everything if f.bound and not f.excluded]
    excluded = sum(bool(f.excluded) for _, f in everything)
    unbound = len(everything) - len(bound) - excluded
    counts = [f"{len(bound)} with a check"]
    counts += [f"{unbound} unbound"] if unbound else []
    counts += [f"{excluded} excluded"] if excluded else []
    yield f"plan  {len(everything)} falsifier(s): {', '.join(counts)}"
    if len(bound) > _NAMED:
        return
    for contract, falsifier in bound:
        if falsifier.basis:
            cited = ", ".join(dict.fromkeys(cited.falsifier for cited in falsifier.basis.values()))
            yield printable(f"      {contract.stem}#{falsifier.id}: judged by the evidence of {cited}")
            continue
        shown = "the satisfying example" if falsifier.outcome == "refuted" else "counter-examples"
        highest = [level for level in reversed(levels_of(falsifier)) if level != "algorithm"]
        yield printable(
            f"      {contract.stem}#{falsifier.id}: {shown} on the {base_level(falsifier)} subjects,"
            f" then the claim at the first level that can be judged here of {', '.join(highest)}"
        )
        modules = {name for level in LEVELS for name in falsifier.needs_at(level).modules}
        if modules:
            yield printable(f"      it needs {spell_modules(sorted(modules))}")
