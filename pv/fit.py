"""Does a clause fit the check that it names? Asked before anything runs."""

from __future__ import annotations

from pv.binding import Binding
from pv.contract import Falsifier
from pv.errors import BindingError

__all__ = ["fit", "planned"]


def fit(falsifier: Falsifier, binding: Binding) -> None:
    """Refuse a clause whose roles, arguments, rule or counter-examples do not fit its check.

    Raises
    ------
    BindingError
        With the place in the contract.
    """
    names = {parameter.name for parameter in binding.parameters}
    for level in falsifier.subjects or {"live": {}}:
        given = {**falsifier.subjects.get(level, {}), **falsifier.arguments}
        both = set(falsifier.subjects.get(level, {})) & set(falsifier.arguments)
        unknown = sorted(set(given) - names) + sorted(both)
        lacking = sorted(p.name for p in binding.parameters if p.required and p.name not in given)
        if unknown or lacking:
            what = f"does not take {unknown}" if unknown else f"needs {lacking}"
            raise BindingError(
                f"{binding.reference} {what} (at {level} level)",
                where=falsifier.key_where("check"),
                remedy=f"it takes {sorted(names)}: roles from `subjects:`, the rest from `with:`",
            )
        if not falsifier.expectations(level):
            raise BindingError(
                f"no expectation for the {level} level", where=falsifier.where, remedy="write `expect:`"
            )
    if falsifier.outcome == "holds" and falsifier.satisfying_example is not None:
        raise BindingError(
            "a claim that holds has no use for its satisfying_example, which would never be run",
            where=falsifier.key_where("satisfying_example"),
            remedy="take it out, or write outcome: refuted",
        )
    listed = falsifier.counter_examples or ()
    if twice := sorted({name for name in listed if listed.count(name) > 1}):
        raise BindingError(
            f"counter-example {twice[0]!r} is listed twice",
            where=falsifier.key_where("counter_examples"),
            remedy="take one out: it is planted once",
        )
    for name in listed:
        if name not in binding.counter_examples:
            raise BindingError(
                f"counter-example {name!r} is not planted on {binding.reference}",
                where=falsifier.key_where("counter_examples"),
                remedy=f"planted are: {', '.join(sorted(binding.counter_examples)) or 'none'}",
            )


def planned(falsifier: Falsifier, binding: Binding) -> tuple[str, ...]:
    """Return the counter-examples to plant: those that the clause lists, else all that the check has."""
    if falsifier.counter_examples is None:
        return tuple(sorted(binding.counter_examples))
    return falsifier.counter_examples
