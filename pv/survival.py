"""How likely a lie is to survive an audit that looks at some of the leaves."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction

__all__ = ["draw", "draws_of", "survival"]


def draws_of(share: float, leaves: int) -> int:
    """Return how many of `leaves` a `share` of them is: at least one, and rounded up."""
    return min(leaves, max(1, math.ceil(Fraction(str(share)) * leaves)))


def survival(leaves: int, false: int, draws: int) -> float:
    """Return the probability that none of `draws` leaves, drawn without putting back, is one of `false`.

    The hypergeometric distribution at zero: C(n - k, m) / C(n, m).

    Raises
    ------
    ValueError
        There are not so many leaves.
    """
    if not (0 <= false <= leaves and 0 <= draws <= leaves):
        raise ValueError(f"of {leaves} leaves, {false} cannot be false and {draws} drawn")
    return float(Fraction(math.comb(leaves - false, draws), math.comb(leaves, draws)))


def draw(root: str, challenge: str, places: Sequence[int], draws: int) -> list[int]:
    """Return which of `places` are drawn, in order: those with the smallest digests.

    That of a place is SHA-256("pv audit" 0x00 root 0x00 challenge 0x00 place), the place in decimal digits.
    Nobody who fixed `root` before `challenge` was known could choose them, and everybody can draw them again.
    """

    def number(place: int) -> bytes:
        return hashlib.sha256(f"pv audit\0{root}\0{challenge}\0{place}".encode()).digest()

    return sorted(sorted(places, key=number)[:draws])
