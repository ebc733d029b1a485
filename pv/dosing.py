"""How small a damage a falsifier must notice: doses that the engine plants, and places where it does.

``must_detect: {scale: 1.0e-3, cosine.dropped_samples: 1}`` names ways to do damage, each with the smallest
amount that no run may hide. A name without a dot is one that the check declares of a role
(``@CHECK.dose("scale", of="role")``); its damage takes a run. A name ``METRIC.KIND`` damages what was
measured, by one of :data:`KINDS`, and takes none: the rule is asked again.

Each dose is planted at :data:`PLACES` places, which are told apart by a number; the same number is the same
place on every host. A dose is a counter-example like any other, named ``scale=0.001@0``.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pv.binding import Binding
from pv.check import CheckError, Value
from pv.contract import Falsifier
from pv.expression import Measurements
from pv.expression.values import Series

__all__ = ["KINDS", "PLACES", "Amount", "Dosed", "dosed", "dosed_series", "smaller"]

Amount = int | float
PLACES = 3
"""At how many places a dose is planted."""


@dataclasses.dataclass(frozen=True)
class Dosed:
    """One dose at one place: `of` is the role, or the metric, that it damages."""

    kind: str
    amount: Amount
    place: int
    of: str
    on_series: bool

    @property
    def name(self) -> str:
        """What evidence calls it."""
        return f"{self.kind}={self.amount}@{self.place}"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, whole: Mapping[str, Any]) -> Dosed:
        """Return what :meth:`to_json` returned the values of.

        Raises
        ------
        TypeError
            They are not such values.
        """
        return cls(**whole)


def dosed(falsifier: Falsifier, binding: Binding) -> dict[str, Dosed]:
    """Return name → dose of all that `falsifier` must detect; those that cannot be planted are left out."""
    found = (one for kind, amount in falsifier.must_detect.items() for one in at(kind, amount, binding))
    return {one.name: one for one in found}


def at(kind: str, amount: Amount, binding: Binding) -> Iterator[Dosed]:
    """Yield the dose `amount` of `kind` at each place; none where the check has no such kind."""
    metric, dot, name = kind.rpartition(".")
    of = metric if dot and metric in binding.metrics and name in KINDS else binding.doses.get(kind)
    if of is not None:
        yield from (Dosed(kind, amount, place, of, bool(dot)) for place in range(PLACES))


def smaller(amount: Amount, *, finer: bool) -> Iterator[Amount]:
    """Yield smaller and smaller amounts, each a tenth of the one before: of a count down to 1, else eight.

    `finer` steps are of a factor of about two instead.
    """
    if isinstance(amount, int):
        while (amount := amount // (2 if finer else 10)) >= 1:
            yield amount
        return
    for decade in range(8):
        for part in (5, 2, 1) if finer else (1,):
            # Through its text, so that a tenth of 0.001 is 0.0001 and not a neighbour of it.
            yield float(f"{amount * 10.0 ** -(decade + 1) * part:.3g}")


def dosed_series(measurements: Measurements, dose: Dosed) -> Measurements:
    """Return `measurements` with `dose` done to the one series that it damages.

    Raises
    ------
    CheckError
        The series is no series of numbers, where the kind takes one.
    """
    _, _, name = dose.kind.rpartition(".")
    series = measurements.get(dose.of, Series(()))
    chance = random.Random(f"{name} {dose.place}")  # noqa: S311  places, no secret
    return {**measurements, dose.of: KINDS[name](series, dose.amount, chance)}


def _dropped(series: Series, amount: Amount, chance: random.Random) -> Series:
    """Leave `amount` samples out."""
    number = min(int(amount), len(series))
    gone = set(chance.sample(range(len(series)), number))
    kept = [index for index in range(len(series)) if index not in gone]
    labels = tuple(series.labels[index] for index in kept) if series.labels else ()
    return Series(tuple(series.values[index] for index in kept), labels)


def _scaled(series: Series, amount: Amount, chance: random.Random) -> Series:
    """Multiply one sample by 1 + `amount`."""
    return _one_changed(series, chance, lambda value: value * (1 + amount))


def _raised(series: Series, amount: Amount, chance: random.Random) -> Series:
    """Add `amount` to one sample."""
    return _one_changed(series, chance, lambda value: value + amount)


def _lowered(series: Series, amount: Amount, chance: random.Random) -> Series:
    """Take `amount` from one sample."""
    return _one_changed(series, chance, lambda value: value - amount)


def _noise(series: Series, amount: Amount, chance: random.Random) -> Series:
    """Add to every sample a number drawn evenly between -`amount` and `amount`."""
    noisy = tuple(_number(value) + chance.uniform(-amount, amount) for value in series.values)
    return dataclasses.replace(series, values=noisy)


def _one_changed(series: Series, chance: random.Random, change: Callable[[Any], Any]) -> Series:
    if not len(series):
        return series
    values: list[Value] = list(series.values)
    index = chance.randrange(len(values))
    values[index] = change(_number(values[index]))
    return dataclasses.replace(series, values=tuple(values))


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CheckError(f"{value!r} is no number, so that no dose of it is smaller than another")
    return value


KINDS: Mapping[str, Callable[[Series, Amount, random.Random], Series]] = {
    "dropped_samples": _dropped,
    "scale": _scaled,
    "raise": _raised,
    "lower": _lowered,
    "noise": _noise,
}
"""Name → damage to a series of measurements."""
