"""Quantities with their units, as contracts and files of hardware write them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal

__all__ = ["RATES", "Kind", "quantity", "shown"]

Kind = Literal["tokens/s", "B/s", "FLOP/s"]

_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}

RATES: Mapping[str, tuple[Kind, float]] = {
    **dict.fromkeys(("tokens/s", "token/s", "tok/s"), ("tokens/s", 1.0)),
    **{f"{prefix}B/s": ("B/s", factor) for prefix, factor in {**_PREFIXES, **_BINARY}.items()},
    **{f"{prefix}{unit}": ("FLOP/s", factor)
       for prefix, factor in _PREFIXES.items() for unit in ("FLOP/s", "FLOPS", "flop/s")},
}  # fmt: skip
"""Unit of a rate → what it counts, and how much of that one is."""

_SIZES = {f"{prefix}B": factor for prefix, factor in {**_PREFIXES, **_BINARY}.items()}
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?) ?(\S+)")


def quantity(text: str, kind: Literal["B/s", "FLOP/s", "B"]) -> float:
    """Return ``"4.8 TB/s"`` in bytes a second, and the like.

    Raises
    ------
    ValueError
        It is no number with a unit of that kind, or not more than 0.
    """
    match = _NUMBER.fullmatch(text.strip())
    factor = None
    if match and kind == "B":
        factor = _SIZES.get(match[2])
    elif match and (rate := RATES.get(match[2])) and rate[0] == kind:
        factor = rate[1]
    if match is None or factor is None:
        raise ValueError(f"{text!r} is no number with a unit of {kind}, such as 1.5 G{kind}")
    value = float(match[1]) * factor
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{text!r} is not more than 0")
    return value


def shown(value: float, unit: str) -> str:
    """Return a number with a prefix that leaves at most three digits before the point; of tokens, without."""
    if unit == "tokens/s":
        return f"{value:,.1f} tokens/s" if value < 1000 else f"{value:,.0f} tokens/s"
    for prefix, factor in reversed(_PREFIXES.items()):
        if value >= factor:
            return f"{value / factor:.4g} {prefix}{unit}"
    return f"{value:.4g} {unit}"
