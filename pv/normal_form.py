"""A clause in its normal form: what could alter a verdict, under one spelling.

Two clauses that mean the same have the same normal form: spellings of a key, a list for a map with the key
``"*"``, units of a quantity, layout and quoting of an expression, defaults written out, and the order of
things that have none. What differs in it can alter the verdict, or is part of the claim that the evidence
is for; keys that the engine does not know stay in, since people may state a part of the claim there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pv.canonical import canonical, digest_of
from pv.contract import SPELLINGS, Cited, Falsifier, Replacement
from pv.errors import ExpressionError
from pv.needs import Needs, spell_bytes, spell_seconds

__all__ = ["LEFT_OUT", "clause_digest", "normal_clause", "normal_line", "normal_rule", "plain"]

LEFT_OUT: Mapping[str, str] = {
    "discharge_status": "it is derived from evidence, and written by `pv sync`",
    "ship_blocking": "it says who waits for the verdict",
    "blocks": "it says who waits for the verdict",
    "blocked_by": "it says what to do first",
    "covers": "it links the clause to obligations; `pv coverage` reads the link as it is now",
    "aliases": "other names of the same clause",
    "model": "it groups clauses in `pv status`",
    "tags": "they group clauses",
    "retries": "a run that ended in Error gave no verdict; one that did is never run again for another",
}
"""Key → why it can alter no verdict."""

_PROSE = ("rule", "prediction", "if_fails", "test", "excluded")
_TYPED = frozenset(
    {
        *(spelling for name in ("rule", "prediction", "if_fails") for spelling in SPELLINGS[name]),
        *("id", "test", "check", "pytest", "command", "property", "with", "subjects", "expect", "metrics"),
        *("counter_examples", "environment", "sources", "basis", "needs", "outcome", "satisfying_example"),
        *("excluded", "runs", "bound_to"),
    }
)


def normal_clause(falsifier: Falsifier) -> dict[str, Any]:
    """Return the clause as plain JSON values, without what :data:`LEFT_OUT` lists and what says nothing."""
    form: dict[str, Any] = {
        key: _prose(value)
        for key, value in falsifier.raw.items()
        if key not in LEFT_OUT and key not in _TYPED and value is not None
    }
    stated = {
        "id": falsifier.id,
        "check": falsifier.check,
        "pytest": falsifier.pytest,
        "command": list(falsifier.command or ()),
        "property": _property(falsifier),
        "with": plain(falsifier.arguments),
        "subjects": {level: dict(roles) for level, roles in falsifier.subjects.items()},
        "expect": {level: normal_rule(lines) for level, lines in falsifier.expect.items()},
        "metrics": sorted(plain(falsifier.metrics), key=canonical),
        "environment": dict(falsifier.environment),
        "sources": sorted(falsifier.sources),
        "bound_to": sorted(falsifier.bound_to),
        "basis": {name: _cited(cited) for name, cited in falsifier.basis.items()},
        "needs": _without_nothing({level: _needs(needs) for level, needs in falsifier.needs.items()}),
        "satisfying_example": _without_nothing(plain(falsifier.satisfying_example or {})),
        "runs": None if falsifier.runs is None else _without_nothing(dataclasses.asdict(falsifier.runs)),
        **{name: _prose(getattr(falsifier, name)) for name in _PROSE},
    }
    form |= _without_nothing(plain(stated))
    if falsifier.outcome != "holds":
        form["outcome"] = falsifier.outcome
    # No list plants all that the check has; an empty one plants none.
    if falsifier.replacements:
        form["counter_examples"] = {
            name: _replacement(replacement) for name, replacement in falsifier.replacements.items()
        }
    elif falsifier.counter_examples is not None:
        form["counter_examples"] = sorted(falsifier.counter_examples)
    return form


def clause_digest(falsifier: Falsifier) -> str:
    """Digest the normal form of the clause."""
    return digest_of(normal_clause(falsifier))


def normal_rule(lines: Sequence[str]) -> list[str]:
    """Return the lines of a rule in their normal form, sorted: each must hold, in whichever order."""
    return sorted(map(normal_line, lines))


@lru_cache(maxsize=4096)
def normal_line(line: str) -> str:
    """Return the canonical text of an expression; one that cannot be read keeps its words."""
    from pv.expression.parse import parse  # late: most uses of a contract judge nothing

    try:
        return str(parse(line))
    except ExpressionError:
        return " ".join(line.split())


def plain(value: Any) -> Any:
    """Return a value of YAML as one of JSON, which has neither NaN nor infinities."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def _prose(value: Any) -> Any:
    """Return `value` with the blanks of its texts made single: folding a line rewords nothing."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, Mapping):
        return {key: _prose(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_prose(part) for part in value]
    return plain(value)


def _without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` without empty ones, which are the defaults."""
    return {key: value for key, value in values.items() if value is not None and value not in ("", [], {})}


def _needs(needs: Needs) -> dict[str, Any]:
    return _without_nothing(
        {
            "memory": needs.memory_bytes and spell_bytes(needs.memory_bytes),
            "timeout": needs.timeout_seconds and spell_seconds(needs.timeout_seconds),
            "gpu": needs.gpu and needs.gpu.replace(" ", ""),
            "modules": sorted(set(needs.modules)),
            "network": needs.network or None,
        }
    )


def _property(falsifier: Falsifier) -> Any:
    """Return the property without its defaults; a text of that name is a note."""
    stated = falsifier.stated_property
    if stated is None:
        return _prose(falsifier.raw.get("property"))
    inputs = {name: _without_nothing(plain(given)) for name, given in stated["inputs"].items()}
    # Each line must hold, in whichever order.
    lines = {key: sorted(" ".join(line.split()) for line in stated[key]) for key in ("requires", "ensures")}
    return _without_nothing({**plain(stated), "inputs": inputs, **lines})


def _cited(cited: Cited) -> dict[str, str]:
    return _without_nothing(dataclasses.asdict(cited))


def _replacement(replacement: Replacement) -> dict[str, Any]:
    stated = {
        "subjects": dict(replacement.subjects),
        "environment": dict(replacement.environment),
        "modules": dict(replacement.modules),
    }
    form = _without_nothing(stated)
    if replacement.arguments is not None:
        form["arguments"] = list(replacement.arguments)
    return form
