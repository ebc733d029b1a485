"""What two records have in common and what not, section by section, in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pv.differences import clause_differences
from pv.evidence import Record
from pv.series_differences import SeriesDifference, series_differences

__all__ = ["RecordDifferences", "compare_records"]

_ARROW = "→"


@dataclasses.dataclass(frozen=True)
class RecordDifferences:
    """Two records compared: section → what differs in it, in words, and the measurements by metric.

    Sections without a difference are not there. `verdict` has both outcomes.
    """

    sections: Mapping[str, tuple[str, ...]]
    series: tuple[SeriesDifference, ...]
    verdict: tuple[str, str]
    turned: tuple[str, ...]
    """The counter-examples that are caught in one record and not in the other."""

    @property
    def agree(self) -> bool:
        """Whether outcomes, and what the rule could tell apart of the measurements, are the same."""
        judged = all(each.kind != "beyond" for each in self.series)
        return judged and self.verdict[0] == self.verdict[1] and not self.turned

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "agree": self.agree,
            "verdict": [*self.verdict],
            "counter_examples": [*self.turned],
            "sections": {name: [*lines] for name, lines in self.sections.items()},
            "measurements": [dataclasses.asdict(each) for each in self.series],
        }


def compare_records(first: Record, second: Record) -> RecordDifferences:
    """Compare two verified records."""
    before, after = first.predicate, second.predicate
    found = {
        "falsifier": [*_values(*({k: each["falsifier"].get(k) for k in _NAMED} for each in (before, after)))],
        "clause": clause_differences(before["inputs"]["form"], after["inputs"]["form"]),
        "check": [*_modules(before["inputs"]["modules"], after["inputs"]["modules"])],
        "arguments": [*_values(before["check"]["arguments"], after["check"]["arguments"])],
        "artefacts": [*_artefacts(before, after)],
        "place": [*_values(before["place"], after["place"])],
        "engine": [*_values(before["engine"], after["engine"])],
        "versions": [*_values(before["versions"], after["versions"])],
        "host": [*_values(before["host"], after["host"])],
        "revision": [*_values(before["revision"], after["revision"])],
        "seed": [*_values({"seed": before["run"]["seed"]}, {"seed": after["run"]["seed"]})],
    }
    plants = (before.get("counter_examples", {}), after.get("counter_examples", {}))
    return RecordDifferences(
        {name: tuple(lines) for name, lines in found.items() if lines},
        tuple(series_differences(before["measurements"], after["measurements"], before["verdict"])),
        (before["verdict"]["outcome"], after["verdict"]["outcome"]),
        tuple(
            sorted(n for n in {*plants[0]} & {*plants[1]} if plants[0][n]["caught"] != plants[1][n]["caught"])
        ),
    )


_NAMED = ("contract", "id", "version", "rule", "outcome")


def _values(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield f"{name} {_shown(old)} {_ARROW} {_shown(new)}"


def _modules(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None:
            yield f"{after[name]['path']} added"
        elif new is None:
            yield f"{old['path']} removed"
        elif old["sha256"] != new["sha256"]:
            yield f"{new['path']} changed"


def _artefacts(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    ours, theirs = before["subjects"], after["subjects"]
    for role in sorted({*ours, *theirs}):
        old, new = ours.get(role), theirs.get(role)
        if old is None or new is None:
            yield f"{role} {'added' if old is None else 'removed'}"
        elif old["sha256"] != new["sha256"]:
            yield f"{role} {old['name']} {old['sha256'][:12]} {_ARROW} {new['name']} {new['sha256'][:12]}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return (
            ", ".join(str(each.get("name", each)) if isinstance(each, dict) else str(each) for each in value)
            or "none"
        )
    return str(value)
