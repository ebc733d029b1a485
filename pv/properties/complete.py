"""Whether a property says all that its type asks for, and nothing that it has no use for."""

from __future__ import annotations

import dataclasses

from pv.properties.domains import enumerable
from pv.properties.laws import LAWS
from pv.properties.stated import Input, PropertyError, Stated

__all__ = ["LEAST", "all_inputs", "completed", "tools", "tried_whole"]

LEAST = 100
"""So many cases are drawn at least, of a domain that is neither tried whole nor proved of."""

_KEYS = (
    "reference",
    "inverse",
    "ensures",
    "under",
    "low",
    "high",
    "along",
    "other",
    "conserves",
    "decreasing",
)
_ANY_OF = {
    "invariant": ("ensures", "under"),
    "bound": ("low", "high"),
    "symmetry": ("other", "under"),
}
"""Type → the keys of which it needs one."""


def completed(stated: Stated) -> Stated:
    """Return `stated` with what follows from it: ``along`` where there is one input, ``other`` where two.

    Raises
    ------
    PropertyError
        A key is missing that the type needs, or is there and has no use.
    """
    law = LAWS[stated.type]
    names = sorted(stated.inputs)
    if stated.type == "symmetry" and not (stated.under or stated.along or stated.other) and len(names) == 2:
        stated = dataclasses.replace(stated, along=names[0], other=names[1])
    elif "along" in law.needs and not stated.along and len(names) == 1:
        stated = dataclasses.replace(stated, along=names[0])
    for key in law.needs:
        if not getattr(stated, key) and not (key == "along" and stated.under):
            remedy = f"name one of {', '.join(names) or 'its inputs'}" if key == "along" else f"add {key}:"
            raise PropertyError(f"{stated.type} needs {key}:", remedy)
    wanted = _ANY_OF.get(stated.type, ())
    if wanted and not any(getattr(stated, key) not in (None, (), {}, "") for key in wanted):
        raise PropertyError(f"{stated.type} needs one of {', '.join(wanted)}", f"add {wanted[0]}:")
    for key in _KEYS:
        # Every type may name its first and second argument, for the mutants' sake.
        allowed = {*law.needs, *law.may, "along", "other"}
        if key not in allowed and getattr(stated, key) not in (None, (), {}, "", False):
            raise PropertyError(f"{stated.type} has no use for {key}:", "take it out", key)
    if stated.other and stated.other == stated.along:
        raise PropertyError("along: and other: are one input", "name two", "other")
    if stated.prove:
        _provable(stated)
    _meant(stated)
    return stated


def all_inputs(stated: Stated) -> dict[str, Input]:
    """Return the inputs of the clause, and those that its law draws besides."""
    return {**stated.inputs, **LAWS[stated.type].extras(stated)}


def tried_whole(stated: Stated) -> bool:
    """Tell whether every choice of the inputs is tried: there are few enough. Runs nothing of the project."""
    return enumerable(all_inputs(stated))


def tools(stated: Stated) -> tuple[str, ...]:
    """Return the modules that measure `stated` and are not pv's own."""
    found = ["z3"] if stated.prove else []
    if not tried_whole(stated):
        found.append("hypothesis")
    if any(given.shape is not None for given in stated.inputs.values()):
        found.append("numpy")
    if any(given.container == "torch" for given in stated.inputs.values()):
        found.append("torch")
    return tuple(found)


def _meant(stated: Stated) -> None:
    """Refuse what would be true of any subject, or of too few inputs to say anything."""
    if stated.examples < LEAST and not tried_whole(stated):
        raise PropertyError(
            f"{stated.examples} examples are too few of a domain that is not tried whole",
            f"take examples: out, or write at least {LEAST}",
            "examples",
        )
    if stated.tolerance.relative >= 1:
        raise PropertyError(
            "a relative tolerance of 1 allows zero for any number", "write less than 1", "tolerance"
        )
    if stated.type == "equivalence" and stated.reference == stated.subject:
        raise PropertyError("reference: is the subject itself", "name what it is to be equal to", "reference")
    if stated.under and all(text.strip() == name for name, text in stated.under.items()):
        raise PropertyError("under: changes nothing", "write what is to make no difference", "under")
    given = stated.inputs.get(stated.along)
    joined = given is not None and (given.container == "list" or given.form not in {"integers", "floats"})
    if stated.type == "linearity" and joined:
        raise PropertyError(
            f"{stated.along} has no sum and no multiple: a list or a text is joined and repeated",
            "give numbers, or an array",
            "along",
        )


def _provable(stated: Stated) -> None:
    if not LAWS[stated.type].provable:
        raise PropertyError(f"{stated.type} cannot be proved, only tried", "take prove: out", "prove")
    for name, given in stated.inputs.items():
        whole = all(type(choice) is int for choice in given.choices)
        if given.form not in {"integers", "choices", "equals"} or given.shape is not None or not whole:
            raise PropertyError(
                f"only integers can be proved of; {name} is another", "take prove: out", "prove"
            )
    if stated.tolerance.absolute or stated.tolerance.relative:
        raise PropertyError("a proof knows no tolerance", "take tolerance: or prove: out", "prove")
