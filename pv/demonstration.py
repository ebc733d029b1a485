"""Show that a falsifier can fail: plant its counter-examples, and every dose of what it must detect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pv.binding import Binding
from pv.contract import Falsifier
from pv.detection import descend
from pv.dosing import Dosed, dosed, dosed_series
from pv.fit import planned
from pv.outcome import Plant
from pv.predicate import Judged
from pv.verdict import judge

__all__ = ["demonstrate", "plants_of"]


def demonstrate(
    falsifier: Falsifier,
    binding: Binding,
    judged: Judged,
    rule: Sequence[str],
    damage: Callable[[str | None, Dosed | None], Judged],
    detection: Mapping[str, Any] | None,
    *,
    limits: bool,
) -> tuple[dict[str, Any], tuple[Plant, ...]]:
    """Plant everything; return sections of the record, and what was planted.

    `judged` is the run without damage, by `rule`; `damage` runs with a counter-example or a dose in it.
    `detection` is what an earlier record says of the same, which stays good. With `limits`, the limits of
    detection are measured instead.
    """

    def judge_dose(dose: Dosed) -> Judged:
        if not dose.on_series:
            return damage(None, dose)
        measured = dosed_series(judged.measurements, dose)
        return Judged(judged.run, measured, judge(rule, measured, binding.metrics))

    doses = dosed(falsifier, binding)
    plants: list[Plant] = []
    shown: dict[str, Any] = {}
    for name in planned(falsifier, binding):
        dose = doses.get(name)
        damaged = damage(name, None) if dose is None else judge_dose(dose)
        of = binding.counter_examples[name] if dose is None else dose.of
        plants.append(Plant(name, of, caught=not damaged.verdict.passed))
        stated = {} if dose is None else {"dose": dose.to_json()}
        shown[name] = {"of": of, **stated, "caught": plants[-1].caught, **damaged.to_json()}
    if limits:
        caught = {plant.name: plant.caught for plant in plants}

        def notices(dose: Dosed) -> bool:
            known = caught.get(dose.name)
            return not judge_dose(dose).verdict.passed if known is None else known

        detection = {
            kind: descend(kind, amount, binding, notices) for kind, amount in falsifier.must_detect.items()
        }
    return {"counter_examples": shown} | ({"detection": detection} if detection else {}), tuple(plants)


def plants_of(predicate: Mapping[str, Any]) -> tuple[Plant, ...]:
    """Return the counter-examples that a record holds."""
    held = predicate.get("counter_examples", {})
    return tuple(Plant(name, plant["of"], plant["caught"]) for name, plant in held.items())
