"""One sample as what is recorded of it: a plain number or text."""

from __future__ import annotations

from typing import Any

from pv.check import CheckError, Value

__all__ = ["plain"]


def plain(value: Any) -> Value:
    """Return `value` as a plain ``bool``, ``int``, ``float`` or ``str``, out of numpy or torch scalars.

    Raises
    ------
    CheckError
        It is something else.
    """
    if not isinstance(value, bool | int | float | str) and callable(getattr(value, "item", None)):
        value = value.item()
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    raise CheckError(f"a sample must be a number or a text, not {type(value).__name__}")
