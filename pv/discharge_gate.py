"""Read → judge → record, for a gate: a falsifier that cites what others measured. Nothing is run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from pv.agreement import disagreement
from pv.basis import (
    Piece,
    binding_of,
    damaged,
    gather,
    inputs_of,
    level_of,
    measurements_of,
    misquoted,
    to_json,
)
from pv.binding import Binding
from pv.config import Config
from pv.contract import LEVELS, Contract, Falsifier
from pv.counted_evidence import counted_record
from pv.errors import BindingError, EvidenceError
from pv.evidence import Record, record_path, superseded, write_record
from pv.expression import Measurements
from pv.fit import fit, planned
from pv.freshness import changes
from pv.jobs import Measured, Output
from pv.measuring import Stop
from pv.outcome import Discharge, Options, Outcome, Plant
from pv.planning import Ready
from pv.predicate import Judged, build_predicate, subject_tag
from pv.selection import load_all
from pv.status import derive, vacuous
from pv.survey import survey
from pv.verdict import judge
from pv.verify import metrics_to_json

__all__ = ["discharge_gate"]


def discharge_gate(contract: Contract, falsifier: Falsifier, config: Config, options: Options) -> Discharge:
    """Judge one gate by the evidence that is there.

    Raises
    ------
    NoBasisError
        What it cites is not there, not fresh, or does not stand: the gate is declined.
    BindingError
        Its clause does not fit what it cites.
    """
    if falsifier.outcome == "refuted" or falsifier.runs is not None:
        raise BindingError(
            "a gate holds or does not: outcome: refuted and runs: have no use in it",
            where=falsifier.key_where("basis"),
            remedy="write them where the measuring is done",
        )
    if set(falsifier.expect) != {"*"}:
        raise BindingError(
            "a gate has one rule, whatever the levels of what it cites",
            where=falsifier.key_where("expect"),
            remedy="write expect: as a list",
        )
    pieces = gather(falsifier, load_all(config), lambda other, cited: derive(other, cited, config))
    binding = binding_of(pieces, falsifier)
    fit(falsifier, binding)
    return _Gate(contract, falsifier, config, options, pieces, binding).run()


class _Gate:
    def __init__(
        self,
        contract: Contract,
        falsifier: Falsifier,
        config: Config,
        options: Options,
        pieces: Sequence[Piece],
        binding: Binding,
    ) -> None:
        self.contract = contract
        self.falsifier = falsifier
        self.config = config
        self.options = options
        self.pieces = pieces
        self.binding = binding
        self.inputs = inputs_of(falsifier, pieces)
        self.started_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")

    def run(self) -> Discharge:
        level = level_of(self.pieces)
        asked = self.options.level
        if asked != "auto" and LEVELS.index(asked) > LEVELS.index(level):
            raise Stop("Declined", f"what it cites has evidence at {level} level, and {asked} was asked for")
        level = level if asked == "auto" else LEVELS[LEVELS.index(asked)]
        levels = list(dict.fromkeys(("algorithm", level)))
        if self.options.record and not self.options.force and (done := self._fresh(levels)):
            return done
        judged = self._judge(measurements_of(self.pieces))
        shown: dict[str, Any] = {
            "survey": survey(self._rule(), self.binding.metrics).to_json(),
            "counter_examples": {},
        }
        if judged.verdict.passed:
            for name in planned(self.falsifier, self.binding):
                found = self._judge(damaged(self.pieces, name))
                shown["counter_examples"][name] = {
                    "of": self.binding.counter_examples[name],
                    "caught": not found.verdict.passed,
                    **found.to_json(),
                }
        rule = {"lines": self._rule(), "metrics": metrics_to_json(self.binding.metrics)}
        verdict = judged.verdict.to_json()
        missed = vacuous(self.falsifier, {**shown, "rule": rule, "verdict": verdict})
        reached = levels if judged.verdict.passed and not missed else levels[:1]
        records = tuple(
            self._record(at, judged, shown if at == "algorithm" else {})
            for at in (reached if self.options.record else ())
        )
        return self._end(level, verdict, shown["counter_examples"], missed, records, fresh=False)

    def _rule(self) -> tuple[str, ...]:
        return self.falsifier.expectations("live")

    def _judge(self, measurements: Measurements) -> Judged:
        nothing_run = Measured({}, Output(), 0.0, 0, planted=False)
        return Judged(nothing_run, measurements, judge(self._rule(), measurements, self.binding.metrics))

    def _path(self, level: str) -> Any:
        ready = Ready(level, {}, "cpu", None)
        return record_path(
            self.config.evidence,
            self.contract.stem,
            self.falsifier.id,
            level,
            subject_tag(ready, self.config),
            ready.device_tag,
        )

    def _record(self, level: str, judged: Judged, extra: Mapping[str, Any]) -> str:
        path = self._path(level)
        predicate = build_predicate(
            config=self.config,
            contract=self.contract,
            falsifier=self.falsifier,
            binding=self.binding,
            ready=Ready(level, {}, "cpu", None),
            base="live" if level == "algorithm" else level,
            rule=self._rule(),
            judged=judged,
            seed=0,
            arguments=self.options.argv,
            started_at=self.started_at,
            extra={**extra, "basis": to_json(self.pieces)},
            satisfying={},
            inputs=self.inputs,
            supersedes=superseded(path, self.inputs.clause),
        )
        write_record(path, predicate)
        return self.config.relative(path)

    def _fresh(self, levels: Sequence[str]) -> Discharge | None:
        found: list[Record] = []
        for level in levels:
            try:
                record = counted_record(self._path(level), self.config)
            except EvidenceError:
                return None
            if changes(record.predicate["inputs"], self.inputs):
                return None
            if disagreement(self.falsifier, self.binding, record.predicate):
                return None
            if misquoted(self.pieces, record.predicate):
                return None
            found.append(record)
        shown = found[0].predicate
        return self._end(
            levels[-1],
            found[-1].predicate["verdict"],
            shown["counter_examples"],
            vacuous(self.falsifier, shown),
            tuple(self.config.relative(record.path) for record in found),
            fresh=True,
        )

    def _end(
        self,
        level: str,
        verdict: Mapping[str, Any],
        shown: Mapping[str, Any],
        missed: str,
        records: tuple[str, ...],
        *,
        fresh: bool,
    ) -> Discharge:
        plants = tuple(Plant(name, plant["of"], plant["caught"]) for name, plant in shown.items())
        outcome: Outcome = "Vacuous" if missed else "Pass" if verdict["outcome"] == "Pass" else "Fail"
        cited = ", ".join(f"{piece.address} at {piece.level} level" for piece in self.pieces)
        message = missed or (
            f"{len(plants)} counter-examples caught; it rests on {cited}"
            if outcome == "Pass"
            else self.falsifier.if_fails
        )
        return Discharge(
            f"{self.contract.stem}#{self.falsifier.id}",
            self.falsifier.rule,
            outcome,
            level,
            "evidence of others",
            "cpu",
            message,
            verdict,
            plants,
            (),
            records,
            fresh=fresh,
        )
