"""A kernel's module with some of its text altered: what counter-examples of kernels are made of."""

from __future__ import annotations

import inspect
import itertools
import linecache
from collections.abc import Mapping
from types import ModuleType
from typing import Any

__all__ = ["altered"]

_NUMBERS = itertools.count()


def altered(module: ModuleType, changes: Mapping[str, str]) -> dict[str, Any]:
    """Run the text of `module` with each key of `changes` replaced by its value, and return its names.

    Raises
    ------
    LookupError
        A key does not stand in the text, so that nothing would be altered.
    """
    text = inspect.getsource(module)
    for old, new in changes.items():
        if old not in text:
            raise LookupError(f"{module.__name__} has no {old!r}; the counter-example is to be written anew")
        text = text.replace(old, new)
    # Triton reads the text of a kernel through linecache; a name in brackets is not looked for on disk.
    name = f"<{module.__name__} altered {next(_NUMBERS)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(text, name, "exec"), names)  # noqa: S102  our own text
    return names
