"""What single values of a contract must look like: identifiers, entry points, commands."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["command", "entry_point", "identifier"]


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
