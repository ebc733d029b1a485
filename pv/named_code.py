"""Code that a clause names in an argument: ``with: {spec: package.module:NAME}``.

Such a module counts in the source closure of the check. One check can then measure many things, and a
record of one of them does not rest on the code of the others, as it would if the check imported them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.closure import find_module

__all__ = ["REFERENCE", "named_modules"]

REFERENCE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""Matches the whole of ``module:name``."""


def named_modules(arguments: Mapping[str, Any], sources: Sequence[Path]) -> set[str]:
    """Return the modules in `sources` that texts in `arguments`, at whatever depth, name as ``module:name``.

    Other texts of that form (``gpu:any``) name nothing of the project, and stay what they are.
    """
    found = {text.partition(":")[0] for text in _texts(arguments) if REFERENCE.fullmatch(text)}
    return {module for module in found if find_module(module, sources) is not None}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, Sequence):
        for member in value:
            yield from _texts(member)
