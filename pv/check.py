"""What authors of checks import: `check`, `Metric`, `Run`.

A check *measures*; it never decides. It is a function of a :class:`Run` and of keyword-only
parameters: *roles* (subjects that the engine opens, such as a checkpoint) and *arguments* (the
falsifier's ``with:``). What it records is judged by the rule in the contract.

A counter-example damages one named role of the check; the damaged run must be judged Fail.

This module imports nothing but the standard library, so that a check's file stays light.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Literal, ParamSpec, Protocol, TypeVar

__all__ = ["Check", "CheckError", "CounterExample", "Dose", "Metric", "Run", "Value", "check", "named"]

Kind = Literal["real", "count", "text"]
Value = bool | int | float | str
T = TypeVar("T")
P = ParamSpec("P")


class CheckError(Exception):
    """A check, or the declaration of one, breaks the author's rules. The message says which."""


@dataclasses.dataclass(frozen=True)
class Metric:
    """One named quantity that a check records, and the range it can have at all.

    Parameters
    ----------
    name
        An identifier; rules refer to it.
    unit
        SI or ``"1"``; shown, never converted.
    low, high
        Inclusive bounds outside which a value cannot be a measurement (a cosine of 1.1).
    slack
        How far rounding may carry a value past a bound, in the metric's unit.
    kind
        ``"real"`` (float), ``"count"`` (non-negative integer) or ``"text"`` (a word to compare).
    """

    name: str
    unit: str = "1"
    low: float | None = None
    high: float | None = None
    slack: float = 0.0
    kind: Kind = "real"

    def __post_init__(self) -> None:
        """Refuse a declaration that could not be judged.

        Raises
        ------
        CheckError
            The name is no identifier, a bound is not finite, or the bounds are reversed.
        """
        if not self.name.isidentifier():
            raise CheckError(f"metric name {self.name!r} is not an identifier")
        if self.kind not in {"real", "count", "text"}:
            raise CheckError(f"metric {self.name}: kind {self.kind!r} is none of real, count, text")
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if not all(math.isfinite(bound) for bound in (*bounds, self.slack)):
            raise CheckError(f"metric {self.name}: low, high and slack must be finite")
        if self.slack < 0:
            raise CheckError(f"metric {self.name}: slack is negative")
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise CheckError(f"metric {self.name}: low {self.low} is above high {self.high}")


class Run(Protocol):
    """What a check is given: where to record, and the roles that a counter-example may damage."""

    seed: int
    """Fixed by the engine, recorded in evidence."""
    device: str
    """``"cpu"`` or ``"cuda:N"``."""
    level: str
    """``"algorithm"``, ``"functional"`` or ``"live"``."""

    def record(self, name: str, value: Value, *, label: str | None = None) -> None:
        """Add one sample of metric `name`; `label` names what it was measured on."""

    def role(self, name: str, value: T) -> T:
        """Pass `value` through the role `name`: a counter-example of that role damages it here."""

    def undamaged(self, name: str) -> Any:
        """Return the role `name` as it was before any damage; expected counts come from here."""

    def progress(
        self, items: Iterable[T], total: int | None = None, *, label: Callable[[T], str] | None = None
    ) -> Iterator[T]:
        """Iterate over `items`, reporting progress to the person who waits.

        `label` returns the label under which the samples of an item are recorded. A check that says so, and
        measures each item apart from the others, can be audited: such a run iterates over some of the items
        (``pv evidence audit``), and what it records of all of them together means nothing.
        """

    def scratch(self) -> str:
        """Return the path of an empty folder that is removed when the run ends."""


@dataclasses.dataclass(frozen=True)
class CounterExample:
    """A planted defect: `damage` maps the undamaged role `of` to a damaged one.

    Keyword-only parameters of `damage` are filled from the check's roles and arguments.
    """

    name: str
    of: str
    damage: Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Dose:
    """A way to damage the role `of` as much as is asked for: ``must_detect:`` of a contract names the amount.

    `damage` maps the undamaged role, an amount above 0 and a place, a number from 0, to a damaged role: more
    of it for a greater amount, elsewhere for another place, and always the same for the same.
    """

    name: str
    of: str
    damage: Callable[[Any, Any, int], Any]


@dataclasses.dataclass(frozen=True)
class Check(Generic[P]):
    """A measuring function with its declared metrics and counter-examples; calling it runs it."""

    function: Callable[P, None]
    metrics: tuple[Metric, ...]
    counter_examples: dict[str, CounterExample] = dataclasses.field(default_factory=dict)
    doses: dict[str, Dose] = dataclasses.field(default_factory=dict)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Run the measuring function."""
        self.function(*args, **kwargs)

    def counter_example(self, name: str, *, of: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
        """Register a defect of the role `of` under `name`.

        Raises
        ------
        CheckError
            The name is registered already.
        """

        def register(damage: Callable[..., T]) -> Callable[..., T]:
            if name in self.counter_examples:
                raise CheckError(f"counter-example {name!r} is registered twice")
            self.counter_examples[name] = CounterExample(name, of, damage)
            return damage

        return register

    def dose(
        self, name: str, *, of: str
    ) -> Callable[[Callable[[Any, Any, int], T]], Callable[[Any, Any, int], T]]:
        """Register a way to damage the role `of` by any amount, under `name`.

        Raises
        ------
        CheckError
            The name is registered already.
        """

        def register(damage: Callable[[Any, Any, int], T]) -> Callable[[Any, Any, int], T]:
            if name in self.doses:
                raise CheckError(f"dose {name!r} is registered twice")
            self.doses[name] = Dose(name, of, damage)
            return damage

        return register


def check(*, metrics: Iterable[Metric]) -> Callable[[Callable[P, None]], Check[P]]:
    """Declare a check. Metrics must be written out as literals: they are also read without importing.

    Raises
    ------
    CheckError
        Two metrics have one name, or there is none.
    """
    declared = tuple(metrics)
    names = [metric.name for metric in declared]
    if not names:
        raise CheckError("a check declares at least one metric")
    if len(set(names)) != len(names):
        raise CheckError(f"metrics declared twice: {sorted({n for n in names if names.count(n) > 1})}")

    def wrap(function: Callable[P, None]) -> Check[P]:
        return Check(function, declared)

    return wrap


def named(reference: str) -> Any:
    """Return what an argument of a check names as ``module:name``, imported.

    The module is one of the project's sources. It counts in what a record rests on, as if the check's file
    imported it; a check that measures many things so rests only on the one that the contract names.

    Raises
    ------
    CheckError
        `reference` is not of that form, or there is no such module or name.
    """
    module, colon, name = reference.partition(":")
    if not (colon and name.isidentifier()):
        raise CheckError(f"{reference!r} names no code; write module:name")
    try:
        return getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise CheckError(f"{reference!r} names no code: {error}") from error
