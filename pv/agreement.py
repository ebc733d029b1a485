"""Does a fresh record say what the clause says? Equal digests do not show that the rest was not made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv.binding import Binding
from pv.contract import Falsifier
from pv.fit import planned
from pv.freshness import base_level, roles_at
from pv.normal_form import normal_rule, plain
from pv.planning import levels_of
from pv.verify import metrics_to_json

__all__ = ["disagreement"]


def disagreement(falsifier: Falsifier, binding: Binding, predicate: Mapping[str, Any]) -> str:
    """Return in what a record, fresh by its digests, differs from clause and check; empty if in nothing.

    Asked after :func:`pv.verify.verify`. Without this, a record sealed by hand could carry the digest of
    the clause beside another rule, or pass off one level as another.
    """
    place, stated = predicate["place"], predicate["falsifier"]
    level, base = place["level"], place["base_level"]
    at = base_level(falsifier) if level == "algorithm" else level
    roles = {role: subject["name"] for role, subject in predicate["subjects"].items()}
    for section, recorded, wanted in (
        ("place", (level in levels_of(falsifier), base), (True, at)),
        ("falsifier", (stated["id"], stated["outcome"]), (falsifier.id, falsifier.outcome)),
        ("check", predicate["check"]["reference"], binding.reference),
        ("check", predicate["check"]["arguments"], plain(falsifier.arguments)),
        ("subjects", roles, roles_at(falsifier, at)),
        ("rule", normal_rule(predicate["rule"]["lines"]), normal_rule(falsifier.expectations(at))),
        ("rule", predicate["rule"]["metrics"], metrics_to_json(binding.metrics)),
    ):
        if recorded != wanted:
            return f"section {section} is not what the contract and its check say"
    if level != "algorithm":
        return _other_run(falsifier, predicate)
    if "survey" not in predicate:
        return "section survey is missing"
    if falsifier.outcome == "refuted":
        stated = plain({**falsifier.arguments, **(falsifier.satisfying_example or {}).get("with", {})})
        example = predicate.get("satisfying_example", {})
        return "" if example.get("arguments") == stated else "section satisfying_example is not the clause's"
    shown = predicate.get("counter_examples", {})
    if predicate["verdict"]["outcome"] == "Pass" and set(shown) != set(planned(falsifier, binding)):
        return "section counter_examples does not hold those that the clause plants"
    return ""


def _other_run(falsifier: Falsifier, predicate: Mapping[str, Any]) -> str:
    """Say how a run is another one than its key tells; empty if it is not."""
    key, run = predicate["place"].get("run"), predicate["run"]
    by = falsifier.runs.by if falsifier.runs else ""
    stated = {"": None, "seed": f"seed-{run['seed']}", "day": f"day-{run['started_at'][:10]}", "host": key}
    return "" if key == stated[by] else f"section place names the run {key}, and section run another"
