from __future__ import annotations

from pv.check import Metric
from pv.predicate import enough_of


def test_a_run_goes_on_until_the_rule_of_every_level_has_failed() -> None:
    metrics = {"error": Metric("error", low=0.0)}
    strict, lax = ("max(error) <= 0.1",), ("max(error) <= 1", "count(error) == 9")
    samples = {"error": ((0.5, None),)}
    assert enough_of([strict], metrics)(samples)
    assert not enough_of([strict, lax], metrics)(samples)
    assert enough_of([strict, lax], metrics)({"error": ((0.5, None), (2.0, None))})
