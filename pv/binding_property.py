"""``property:`` as a binding: everything that can be refused before anything runs, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv.binding import Binding
from pv.closure import Closure, closure_digest, find_closure, find_module
from pv.config import Config
from pv.contract import Falsifier
from pv.errors import BindingError, Location
from pv.module_source import find_source
from pv.properties.complete import completed, tools, tried_whole
from pv.properties.laws import mutants_of
from pv.properties.metrics import METRICS
from pv.properties.mutants import MUTANTS
from pv.properties.stated import PropertyError, Stated, read
from pv.properties.version import measures_digest
from pv.python_source import bound_names

__all__ = ["bind_property", "property_closure", "shown_whole", "stated_of"]

_UNUSED = ("with", "metrics", "environment", "sources")


def stated_of(falsifier: Falsifier) -> Stated:
    """Return the property of `falsifier`, complete.

    Raises
    ------
    BindingError
        With the place in the contract: something in it cannot be read, is missing, or has no use.
    """
    try:
        return completed(read(_given(falsifier)))
    except PropertyError as error:
        raise BindingError(
            f"property: {error.what}",
            where=falsifier.value_where("property", *error.place),
            remedy=error.remedy,
        ) from error


def shown_whole(falsifier: Falsifier) -> bool:
    """Tell whether `falsifier` has a property that is proved, or tried on the whole of its domain."""
    if falsifier.stated_property is None:
        return False
    try:
        stated = stated_of(falsifier)
    except BindingError:
        return False
    return stated.prove or tried_whole(stated)


def bind_property(falsifier: Falsifier, config: Config) -> Binding:
    """Read what `falsifier` states under ``property:``; nothing is imported.

    Without ``counter_examples`` it has those that break its type as a rule; with them, any of the standard.

    Raises
    ------
    BindingError
        With the place in the contract: see :func:`stated_of`; or the code that it names is not there.
    """
    stated = stated_of(falsifier)
    for key in _UNUSED:
        if falsifier.raw.get(key):
            raise BindingError(
                f"`{key}:` has no use for property:", where=falsifier.key_where(key), remedy="take it out"
            )
    if falsifier.outcome == "refuted":
        raise BindingError(
            "a property has no satisfying example, so it cannot be a refuted claim",
            where=falsifier.key_where("outcome"),
            remedy="state what holds instead",
        )
    for level, roles in falsifier.subjects.items():
        if roles:
            where = falsifier.value_where("subjects", level)
            raise BindingError(
                "a property has no roles: its subject is a function", where=where, remedy="write {}"
            )
    if falsifier.replacements:
        raise BindingError(
            "the counter-examples of a property are names of standard mutants",
            where=falsifier.key_where("counter_examples"),
            remedy=f"list some of {', '.join(MUTANTS)}",
        )
    for tool in tools(stated):
        if (own := find_module(tool, config.sources)) is not None:
            raise BindingError(
                f"{config.relative(own)} would be taken for {tool}, by which it is measured",
                where=falsifier.value_where("property", "subject"),
                remedy="give the file another name",
            )
    if stated.type != "determinism" and falsifier.counter_examples == ("nondeterministic",):
        raise BindingError(
            "nondeterministic alone shows that two calls are compared, and nothing of what they return",
            where=falsifier.key_where("counter_examples"),
            remedy=f"list another as well, or none: then it is {', '.join(mutants_of(stated))}",
        )
    places = [_find(key, falsifier, config) for key in ("subject", "reference", "inverse")]
    where = next(place for place in places if place is not None)
    listed = mutants_of(stated) if falsifier.counter_examples is None else tuple(MUTANTS)
    return Binding(
        reference=f"property:{stated.type} of {stated.subject}",
        where=where,
        metrics={metric.name: metric for metric in METRICS},
        parameters=(),
        counter_examples=dict.fromkeys(listed, "subject"),
        kind="property",
    )


def property_closure(falsifier: Falsifier, config: Config) -> Closure:
    """Return the source closure of the code that a property names, with what the engine measures as one part.

    Raises
    ------
    BindingError
        A module is not in the project's sources, or cannot be parsed.
    """
    stated = stated_of(falsifier)
    modules = frozenset(reference.partition(":")[0] for reference in stated.references)
    key = modules | {"property:", *(["z3"] if stated.prove else [])}
    if key not in config.closures:
        found = find_closure(modules, config.sources)
        digests = tuple(sorted((*found.digests, ("what pv measures of properties", measures_digest()))))
        tools = {"hypothesis", *(["z3"] if stated.prove else [])}
        outside = tuple(sorted({*found.outside, *tools}))
        config.closures[key] = Closure(found.modules, outside, closure_digest(digests), digests)
    return config.closures[key]


def _given(falsifier: Falsifier) -> Mapping[str, Any]:
    if falsifier.stated_property is None:
        raise BindingError(f"{falsifier.id} has no property:", where=falsifier.where, remedy="add one")
    return falsifier.stated_property


def _find(key: str, falsifier: Falsifier, config: Config) -> Location | None:
    """Return where the code stands that `key` names; None where it names none."""
    reference = _given(falsifier)[key]
    if not reference:
        return None
    module, _, name = reference.partition(":")
    where = falsifier.value_where("property", key)
    source = find_source(module, config, where=where)
    wanted = name.partition(".")[0]
    for bound, statement in bound_names(source.tree.body):
        if bound == wanted:
            return source.at(statement)
    raise BindingError(f"{source.path} defines no {wanted}", where=where, remedy="correct the name")
