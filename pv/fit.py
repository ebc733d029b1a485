"""Does a clause fit the check that it names? Asked before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

from pv.binding import Binding
from pv.contract import Falsifier
from pv.dosing import KINDS, at, dosed
from pv.errors import BindingError, Location

__all__ = ["Misfit", "fit", "misfits", "planned"]


@dataclasses.dataclass(frozen=True)
class Misfit:
    """One way in which a clause does not fit its check.

    `kind` is ``plant`` for a counter-example that the check does not have, else ``parameter``: a role, an
    argument, a level without a rule, or an example that would never be run.
    """

    kind: Literal["parameter", "plant"]
    what: str
    where: Location
    remedy: str


def fit(falsifier: Falsifier, binding: Binding) -> None:
    """Refuse a clause whose roles, arguments, rule or counter-examples do not fit its check.

    Raises
    ------
    BindingError
        With the place in the contract.
    """
    for misfit in misfits(falsifier, binding):
        raise BindingError(misfit.what, where=misfit.where, remedy=misfit.remedy)


def misfits(falsifier: Falsifier, binding: Binding) -> Iterator[Misfit]:
    """Yield every way in which a clause does not fit its check, each at its place in the contract."""
    yield from _parameters(falsifier, binding)
    if falsifier.outcome == "holds" and falsifier.satisfying_example is not None:
        yield Misfit(
            "parameter",
            "a claim that holds has no use for its satisfying_example, which would never be run",
            falsifier.key_where("satisfying_example"),
            "take it out, or write outcome: refuted",
        )
    levels = list(falsifier.subjects) or ["live"]
    if falsifier.bound_to and not any(falsifier.needs_at(level).gpu for level in levels):
        yield Misfit(
            "parameter",
            "a claim is bound to a GPU's host, but none of its levels needs a GPU",
            falsifier.key_where("bound_to"),
            "take bound_to out, or write needs: {gpu: any}",
        )
    seen: set[str] = set()
    for index, name in enumerate(falsifier.counter_examples or ()):
        where = falsifier.value_where("counter_examples", name if falsifier.replacements else index)
        if name in seen:
            yield Misfit(
                "plant",
                f"counter-example {name!r} is listed twice",
                where,
                "take one out: it is planted once",
            )
        elif name not in binding.counter_examples:
            yield Misfit(
                "plant",
                f"counter-example {name!r} is not planted on {binding.reference}",
                where,
                f"planted are: {', '.join(sorted(binding.counter_examples)) or 'none'}",
            )
        seen.add(name)
    yield from _doses(falsifier, binding)


def _doses(falsifier: Falsifier, binding: Binding) -> Iterator[Misfit]:
    for kind, amount in falsifier.must_detect.items():
        where = falsifier.document.where_key(*falsifier.path, "must_detect", kind)
        if falsifier.basis or falsifier.outcome == "refuted":
            what = "a gate" if falsifier.basis else "a claim that is refuted"
            yield Misfit("plant", f"{what} has nothing to detect", where, "require it of what is measured")
        elif not any(at(kind, amount, binding)):
            known = [*sorted(binding.doses), *(f"METRIC.{name}" for name in KINDS)]
            yield Misfit(
                "plant", f"{binding.reference} has no dose {kind!r}", where, f"known are: {', '.join(known)}"
            )


def _parameters(falsifier: Falsifier, binding: Binding) -> Iterator[Misfit]:
    names = {parameter.name for parameter in binding.parameters}
    remedy = f"it takes {sorted(names)}: roles from `subjects:`, the rest from `with:`"

    def misfit(what: str, level: str, where: Location) -> Misfit:
        return Misfit("parameter", f"{binding.reference} {what} (at {level} level)", where, remedy)

    levels = list(falsifier.subjects) or ["live"]
    for name in sorted(set(falsifier.arguments) - names):
        where = falsifier.document.where_key(*falsifier.path, "with", name)
        yield misfit(f"does not take [{name!r}]", levels[0], where)
    for level in levels:
        roles = falsifier.subjects.get(level, {})
        # A role that a test or command is not told of is still a file that it may read.
        unknown = set(roles) - names if binding.kind in {"check", "property"} else set()
        for name in sorted(unknown | (set(roles) & set(falsifier.arguments))):
            where = falsifier.document.where_key(*falsifier.path, "subjects", level, name)
            yield misfit(f"does not take [{name!r}]", level, where)
        given = {**roles, **falsifier.arguments}
        lacking = sorted(p.name for p in binding.parameters if p.required and p.name not in given)
        if lacking:
            yield misfit(f"needs {lacking}", level, falsifier.key_where(binding.kind))
        if not falsifier.expectations(level):
            yield Misfit(
                "parameter", f"no expectation for the {level} level", falsifier.where, "write `expect:`"
            )


def planned(falsifier: Falsifier, binding: Binding) -> tuple[str, ...]:
    """Return the counter-examples to plant: those that the clause lists, else all that the check has.

    After them come the doses of what it must detect.
    """
    listed = falsifier.counter_examples
    chosen = tuple(sorted(binding.counter_examples)) if listed is None else listed
    return (*chosen, *dosed(falsifier, binding))
