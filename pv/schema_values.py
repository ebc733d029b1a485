"""What single values of a contract must look like: identifiers, entry points, commands."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["code", "command", "entry_point", "identifier", "runs"]


def identifier(text: str) -> str:
    """Return `text`, which names folders of evidence and stands in addresses (``contract#ID``).

    Raises
    ------
    ValueError
        It could not be both.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", text, re.ASCII):
        raise ValueError("expected an identifier of letters, digits and . _ : - (at most 128)")
    return text


def code(text: str) -> str:
    """Return `text`, which names something of a module, or an attribute of it.

    Raises
    ------
    ValueError
        It is not of the form ``package.module:name`` or ``package.module:name.attribute``.
    """
    module, _, name = text.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise ValueError("expected package.module:function")
    return text


def entry_point(text: str) -> str:
    """Return `text`, which names a function of a module.

    Raises
    ------
    ValueError
        It is not of the form ``package.module:function``.
    """
    module, _, function = text.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        raise ValueError("expected package.module:function")
    return text


def command(value: Any) -> Any:
    """Return `value`: an argument list (our check), or text (the Rust tool's other word for ``test``).

    Raises
    ------
    ValueError
        It is neither.
    """
    is_argv = isinstance(value, list) and value and all(isinstance(item, str) for item in value)
    if not (is_argv or value is None or isinstance(value, str)):
        raise ValueError("expected a list of arguments (a check), or text (a note on the test)")
    return value


def runs(value: dict[str, Any]) -> dict[str, Any]:
    """Return `value`, which tells runs apart, with its seeds and their number filled in.

    Raises
    ------
    ValueError
        It contradicts itself, or leaves open how many runs there must be.
    """
    seeds, at_least = value["seeds"], value["at_least"]
    if value["by"] != "seed":
        if seeds:
            raise ValueError(f"runs are told apart by {value['by']}, so seeds have no use")
        if at_least is None:
            raise ValueError("at_least is missing: how many runs must there be?")
        return value
    if not seeds and at_least is None:
        raise ValueError("seeds is missing: which seeds?")
    seeds = seeds or list(range(at_least))
    if len(set(seeds)) != len(seeds) or len(seeds) < 2 or at_least not in {None, len(seeds)}:
        raise ValueError("seeds must be at least two different ones, as many as at_least says")
    return {**value, "seeds": seeds, "at_least": len(seeds)}
