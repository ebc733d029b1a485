"""Cases of a property: all of a finite domain, or drawn by hypothesis; and the smallest violation."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from pv.properties.comparing import as_numpy, is_array
from pv.properties.domains import every
from pv.properties.drawing import choices_of
from pv.properties.stated import Input

__all__ = ["Found", "Judged", "draw", "enumerate_all"]


@dataclasses.dataclass(frozen=True)
class Judged:
    """One case: its largest error, whether the property holds, and if it does not, why in words."""

    error: float
    holds: bool
    why: str = ""


Judge = Callable[[Mapping[str, Any]], Judged | None]
"""Judges one choice of the inputs; None where ``requires`` does not allow it."""


@dataclasses.dataclass
class Found:
    """What all cases together gave.

    `refused` inputs were none, for ``requires`` or a bound forbids them; `repeated` ones had been cases
    before.
    """

    cases: int = 0
    violations: int = 0
    worst: float = 0.0
    witness: str = ""
    refused: int = 0
    repeated: int = 0

    def add(self, judged: Judged) -> None:
        """Count one case; the first violation is the witness until a smaller one is found."""
        self.cases += 1
        self.worst = max(self.worst, judged.error)
        if not judged.holds:
            self.violations += 1
            self.witness = self.witness or judged.why


class _Violated(Exception):  # noqa: N818  what hypothesis is to make smaller
    """A case violates the property."""


def enumerate_all(inputs: Mapping[str, Input], judge: Judge) -> Found:
    """Judge every choice of `inputs`."""
    found = Found()
    for values in every(inputs):
        judged = judge(values)
        if judged is None:
            found.refused += 1
        else:
            found.add(judged)
    return found


def _attempt(values: Mapping[str, Any], body: Callable[[Mapping[str, Any]], None]) -> None:
    """Judge what was drawn. At the top level: hypothesis reads the source of what it runs, as a module's."""
    body(values)


def _spelled(values: Mapping[str, Any]) -> bytes:
    """Spell the values of a case: alike only if they are the same in every bit."""
    spelled = hashlib.sha256()
    for name, value in sorted(values.items()):
        if is_array(value):
            array = as_numpy(value)
            said = f"{type(value).__name__} {array.dtype} {array.shape} ".encode() + array.tobytes()
        else:
            said = f"{type(value).__name__} {value!r}".encode()
        spelled.update(f"{name} {len(said)} ".encode() + said)
    return spelled.digest()


def draw(inputs: Mapping[str, Input], judge: Judge, examples: int, seed: int, home: str) -> Found:
    """Judge `examples` choices that hypothesis draws; if one violates, look for the smallest that does.

    What is drawn twice is one case. It writes what it remembers of its own below `home`, and remembers no
    example.
    """
    import hypothesis
    import hypothesis.errors
    from hypothesis import configuration, strategies

    configuration.set_hypothesis_home_dir(home)
    found = Found()

    def refuse() -> NoReturn:
        found.refused += 1
        hypothesis.reject()

    strategy = choices_of(inputs, refuse)

    def run(body: Callable[[Mapping[str, Any]], None], *phases: hypothesis.Phase) -> None:
        settings = hypothesis.settings(
            # All that a profile of the project could set.
            backend="hypothesis",
            verbosity=hypothesis.Verbosity.normal,
            print_blob=False,
            max_examples=examples,
            database=None,
            deadline=None,
            derandomize=False,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(hypothesis.HealthCheck),
        )

        seeded: Any = hypothesis.seed(seed)
        seeded(settings(hypothesis.given(strategy, strategies.just(body))(_attempt)))()

    seen: dict[bytes, bool] = {}

    def count(values: Mapping[str, Any]) -> None:
        key = _spelled(values)  # before it is judged: a subject may write into what it is given
        judged = judge(values)
        if judged is None:
            refuse()
        # Hypothesis draws an element by itself, and the same to fill an array with: that is no other case.
        # One that held before, and now does not, is counted.
        if key in seen and (judged.holds or not seen[key]):
            found.repeated += 1
        else:
            found.add(judged)
        seen[key] = seen.get(key, True) and judged.holds

    try:
        run(count, hypothesis.Phase.generate)
    except hypothesis.errors.Unsatisfiable:
        return found
    if found.violations:
        last = ""

        def violate(values: Mapping[str, Any]) -> None:
            nonlocal last
            judged = judge(values)
            if judged is None:
                hypothesis.reject()
            elif not judged.holds:
                last = judged.why
                raise _Violated

        try:
            run(violate, hypothesis.Phase.generate, hypothesis.Phase.shrink)
        except (_Violated, hypothesis.errors.Flaky):
            # What is run last is the smallest; one that does not fail again keeps the first.
            found.witness = last or found.witness
        except hypothesis.errors.Unsatisfiable:
            pass
    return found
