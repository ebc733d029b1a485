"""Which known word somebody meant by an unknown one."""

from __future__ import annotations

import functools
from collections.abc import Iterable

__all__ = ["distance", "nearest"]

SHORTEST = 5
"""Letters of a known word from which on a slip is told from another word."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `word` looks like a slip of, or None; one of `known` is no slip.

    A slip is another case, another separator, singular for plural, one edit in a word of five letters or
    more, or two in one of nine or more. An edit is a letter too many, too few, another, or two exchanged.
    """
    known = frozenset(known)
    if word in known:
        return None
    plain = _plain(word)
    singular = _singular(plain)
    best: tuple[int, str] | None = None
    for candidate, letters, allowed in _forms(known):
        if abs(len(letters) - len(plain)) > max(allowed, 2):
            continue  # the plural is at most two letters longer
        if singular == _singular(letters):
            found = 0
        elif (
            abs(len(letters) - len(plain)) <= allowed
            and min(len(plain), len(letters)) >= SHORTEST - 1
            # Cheap, and rules most words out: an edit takes one letter away and brings one.
            and len(set(plain) ^ set(letters)) <= 2 * allowed
        ):
            found = distance(plain, letters)
        else:
            continue
        if found <= allowed and (best is None or (found, candidate) < best):
            best = (found, candidate)
    return best[1] if best else None


@functools.lru_cache(maxsize=64)
def _forms(known: frozenset[str]) -> tuple[tuple[str, str, int], ...]:
    """Return each known word, its letters, and how many edits a slip of it may have."""
    forms = []
    for word in sorted(known):
        letters = _plain(word)
        forms.append((word, letters, 0 if len(letters) < SHORTEST else 1 if len(letters) < 9 else 2))
    return tuple(forms)


def distance(first: str, second: str) -> int:
    """Return the least number of edits from `first` to `second`.

    Optimal string alignment: Damerau 1964, "A technique for computer detection and correction of spelling
    errors", where no part is edited twice.
    """
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        before, above, row = row, before, [i]
        for j, other in enumerate(second, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _plain(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


def _singular(word: str) -> str:
    return f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s")
