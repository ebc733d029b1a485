"""Survivors that somebody looked at, and why no test can or need see them: ``survivors.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.kernels.mutants.catalogue import Mutant
from tests.kernels.mutants.runner import Outcome

__all__ = ["FILE", "Explanation", "explained", "read", "stale"]

FILE = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True)
class Explanation:
    """A statement of a kernel, before and after a change, and why the change cannot be seen."""

    kernel: str
    before: str
    after: str
    why: str

    def fits(self, mutant: Mutant) -> bool:
        """Return whether it is about this mutant, or one with the same text elsewhere in the kernel."""
        return (self.kernel, self.before, self.after) == (mutant.kernel, mutant.before, mutant.after)


def read(file: Path = FILE) -> list[Explanation]:
    """Read a table of explanations.

    Raises
    ------
    ValueError
        A key is missing, unknown or empty, or a mutant is explained twice.
    """
    found = []
    for entry in tomllib.loads(file.read_text(encoding="utf-8")).get("survivor", []):
        keys = {"kernel", "before", "after", "why"}
        if set(entry) != keys or not all(entry.values()):
            raise ValueError(
                f"{file.name}: a survivor has {sorted(entry)}; wanted are {sorted(keys)}, none empty"
            )
        found.append(Explanation(**entry))
    places = [(one.kernel, one.before, one.after) for one in found]
    if repeated := sorted({place for place in places if places.count(place) > 1}):
        raise ValueError(f"{file.name}: explained twice: {repeated[0]}")
    return found


def explained(mutant: Mutant, explanations: Iterable[Explanation]) -> str:
    """Return why the mutant survives, or nothing."""
    return next((one.why for one in explanations if one.fits(mutant)), "")


def stale(
    explanations: Iterable[Explanation], mutants: Sequence[Mutant], outcomes: Sequence[Outcome]
) -> list[tuple[Explanation, str]]:
    """Return what explains nothing any more, and why: no such mutant exists, or all of them are caught."""
    found = []
    for one in explanations:
        if not any(one.fits(mutant) for mutant in mutants):
            found.append((one, "there is no such mutant"))
            continue
        run = [outcome for outcome in outcomes if one.fits(outcome.mutant)]
        if run and all(outcome.caught for outcome in run):
            found.append((one, f"it is caught: {run[0].stage}, {run[0].test}"))
    return found
