"""Gates: claims about what other falsifiers measured. Nothing is run; evidence is read, and named.

Each name under ``basis:`` is a metric of the gate: a series that another falsifier recorded, at the level
that is asked for. That evidence must be fresh and verified, and its falsifier must stand. A gate is shown
able to fail by the counter-examples of what it cites: with the series that a planted defect gave in the
place of the undamaged one, the gate's rule must say Fail.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pv.binding import Binding
from pv.canonical import digest_of
from pv.check import Metric
from pv.contract import LEVELS, Cited, Contract, Falsifier, Level
from pv.errors import BindingError
from pv.evidence import Record
from pv.expression import Measurements, measurements_from_json, measurements_to_json
from pv.expression.values import Series
from pv.freshness import Inputs
from pv.normal_form import normal_clause
from pv.runs import union
from pv.semantics import SEMANTICS
from pv.verify import metrics_from_json

if TYPE_CHECKING:
    from pv.status import Status

__all__ = [
    "NoBasisError",
    "Piece",
    "binding_of",
    "cites",
    "damaged",
    "gather",
    "inputs_of",
    "level_of",
    "measurements_of",
    "misquoted",
    "to_json",
]

STANDING = ("PARTIAL_ALGORITHM_LEVEL", "FUNCTIONAL", "DISCHARGED", "REFUTED")
"""What a falsifier may be for a gate to rest on it."""


class NoBasisError(BindingError):
    """What a gate cites is not there, is not fresh, or does not stand."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """One piece of evidence that a gate cites: the records of one level, and that of the counter-examples."""

    name: str
    address: str
    cited: Cited
    level: Level
    records: tuple[Record, ...]
    shown: Record

    @property
    def metric(self) -> Metric:
        """The metric as the gate sees it: the cited one, under its local name."""
        declared = metrics_from_json(self.shown.predicate["rule"]["metrics"])
        return dataclasses.replace(declared[self.cited.metric], name=self.name)

    @property
    def series(self) -> Series:
        """What was measured: of several runs, or on several devices, all, labelled by run and device."""
        places = [(r.predicate["place"].get("run"), r.predicate["place"]["device"]) for r in self.records]
        devices = {device for _, device in places}
        parts = {
            (run or device) if not run or len(devices) == 1 else f"{run}@{device}": self._of(
                record.predicate["measurements"]
            )
            for (run, device), record in zip(places, self.records, strict=True)
        }
        joined = next(iter(parts.values())) if len(parts) == 1 else union(parts)
        return joined.get(self.name, Series(()))

    @property
    def plants(self) -> dict[str, Series]:
        """Counter-example → the series that it gave; empty where it left none."""
        planted = self.shown.predicate.get("counter_examples", {})
        return {
            name: self._of(plant["measurements"]).get(self.name, Series(()))
            for name, plant in planted.items()
        }

    @property
    def sha256(self) -> str:
        """Digest of all that the gate takes from it: of what was measured, not of when."""
        predicates = [record.predicate for record in (*self.records, self.shown)]
        return digest_of(
            {
                # Where the cheapest level is the one that is judged, nothing else tells the two apart.
                "level": self.level,
                "inputs": [predicate["inputs"] for predicate in predicates],
                "series": [predicate["measurements"].get(self.cited.metric) for predicate in predicates],
                "plants": {
                    name: plant["measurements"].get(self.cited.metric)
                    for name, plant in self.shown.predicate.get("counter_examples", {}).items()
                },
            }
        )

    def _of(self, measurements: Any) -> Measurements:
        found = measurements_from_json(measurements)
        return {self.name: found[self.cited.metric]} if self.cited.metric in found else {}


def cites(cited: Cited, contract: Contract, falsifier: Falsifier) -> bool:
    """Tell whether `cited` names this falsifier: by id or alias, with or without its contract."""
    stem, _, identifier = cited.falsifier.rpartition("#")
    return stem in {"", contract.stem} and identifier in {falsifier.id, *falsifier.aliases}


def gather(
    falsifier: Falsifier,
    everything: Sequence[Contract],
    derive: Callable[[Contract, Falsifier], Status],
) -> tuple[Piece, ...]:
    """Find the evidence that the gate `falsifier` cites.

    Raises
    ------
    NoBasisError
        With the place in the contract: a falsifier is unknown, is a gate itself, lacks the metric or the
        level, or does not stand.
    """
    return tuple(
        _piece(falsifier, name, cited, everything, derive) for name, cited in sorted(falsifier.basis.items())
    )


def _piece(
    gate: Falsifier,
    name: str,
    cited: Cited,
    everything: Sequence[Contract],
    derive: Callable[[Contract, Falsifier], Status],
) -> Piece:
    def refuse(what: str, remedy: str) -> NoBasisError:
        return NoBasisError(what, where=gate.value_where("basis", name), remedy=remedy)

    if not name.isidentifier():
        raise refuse(f"basis {name!r} is no name of a metric", "write an identifier: rules refer to it")
    found = [
        (contract, falsifier)
        for contract in everything
        for falsifier in contract.falsifiers
        if cites(cited, contract, falsifier)
    ]
    if len(found) != 1:
        raise refuse(
            f"basis {name}: {cited.falsifier} is {'not unique' if found else 'no falsifier of this project'}",
            "write contract#ID of one that is there",
        )
    contract, falsifier = found[0]
    address = f"{contract.stem}#{falsifier.id}"
    if falsifier.basis:
        raise refuse(f"basis {name}: {address} measures nothing: it is a gate itself", "cite what it cites")
    status = derive(contract, falsifier)
    if status.name not in STANDING:
        raise refuse(
            f"its basis {address} is {status.name}: {status.reason}", f"run `pv discharge {address}`"
        )
    shown = next(record for record in status.records if record.predicate["place"]["level"] == "algorithm")
    if cited.metric not in metrics_from_json(shown.predicate["rule"]["metrics"]):
        raise refuse(
            f"basis {name}: {address} declares no metric {cited.metric}", "name one that it declares"
        )
    planted = shown.predicate.get("counter_examples", {})
    if cut := sorted(plant for plant, run in planted.items() if run.get("whole", True) is not True):
        # What is missing of such a run would fail any rule that counts.
        raise refuse(
            f"its basis {address} was discharged before a gate cited it: "
            f"the run of its counter-example {cut[0]} was cut short",
            f"run `pv discharge --force {address}`",
        )
    levels = [record.predicate["place"]["level"] for record in status.records]
    highest = max(levels, key=LEVELS.index)
    level = highest if cited.level is None else cited.level
    if level not in levels:
        raise refuse(
            f"its basis {address} has no evidence at {level} level (it has: {', '.join(levels)})",
            f"run `pv discharge {address} --level {level}`",
        )
    records = tuple(record for record in status.records if record.predicate["place"]["level"] == level)
    return Piece(name, address, cited, level, records, shown)


def binding_of(pieces: Sequence[Piece], falsifier: Falsifier) -> Binding:
    """Return the gate as if it were a check: its metrics, and the counter-examples of what it cites."""
    return Binding(
        reference="basis",
        where=falsifier.key_where("basis"),
        metrics={piece.name: piece.metric for piece in pieces},
        parameters=(),
        counter_examples={f"{piece.name}.{plant}": piece.name for piece in pieces for plant in piece.plants},
    )


def level_of(pieces: Sequence[Piece]) -> Level:
    """Return the level of a gate: the lowest of what it cites."""
    return min((piece.level for piece in pieces), key=LEVELS.index)


def inputs_of(falsifier: Falsifier, pieces: Sequence[Piece]) -> Inputs:
    """Return what decides a gate's verdict: its clause, and each piece of evidence that it cites."""
    return Inputs(
        normal_clause(falsifier),
        {},
        SEMANTICS,
        {f"basis.{piece.name}": piece.sha256 for piece in pieces},
    )


def measurements_of(pieces: Sequence[Piece]) -> dict[str, Series]:
    """Return the gate's metrics as they were measured, without those that were not."""
    return {piece.name: piece.series for piece in pieces if len(piece.series)}


def damaged(pieces: Sequence[Piece], plant: str) -> dict[str, Series]:
    """Return the gate's metrics with the series that the counter-example `plant` (``NAME.PLANT``) gave."""
    of, _, name = plant.partition(".")
    series = {
        piece.name: piece.plants.get(name, Series(())) if piece.name == of else piece.series
        for piece in pieces
    }
    return {name: found for name, found in series.items() if len(found)}


def misquoted(pieces: Sequence[Piece], predicate: Mapping[str, Any]) -> str:
    """Say which section of a gate's record is not what it cites: it could have been made up."""
    wanted = {piece.name: (piece.address, piece.cited.metric, piece.level) for piece in pieces}
    stated = {name: (s["falsifier"], s["metric"], s["level"]) for name, s in predicate["basis"].items()}
    if stated != wanted:
        return "section basis is not what the gate cites"
    if LEVELS.index(predicate["place"]["level"]) > LEVELS.index(level_of(pieces)):
        return f"section place claims more than what the gate cites, which is at {level_of(pieces)} level"
    if predicate["measurements"] != measurements_to_json(measurements_of(pieces)):
        return "section measurements is not what the basis measured"
    for name, plant in predicate.get("counter_examples", {}).items():
        if plant["measurements"] != measurements_to_json(damaged(pieces, name)):
            return f"section counter_examples.{name} is not what the basis measured"
    return ""


def to_json(pieces: Sequence[Piece]) -> Mapping[str, Any]:
    """Say which evidence a gate read: name → falsifier, metric, level, and each record with its digest."""
    return {
        piece.name: {
            "falsifier": piece.address,
            "metric": piece.cited.metric,
            "level": piece.level,
            "records": [
                {"record": "/".join(record.path.parts[-3:]), "sha256": digest_of(record.statement)}
                for record in {r.path: r for r in (*piece.records, piece.shown)}.values()
            ],
        }
        for piece in pieces
    }
