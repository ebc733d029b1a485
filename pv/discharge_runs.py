"""Plan → run → judge → record, for a claim over several runs (:mod:`pv.runs`).

At the algorithm level as many runs as the claim asks for stand in for those of other days and hosts; a
counter-example is planted in the last of them, beside the undamaged others, so that a rule that no single
run could break is shown able to fail, too. At the level that is judged, every run leaves a record of its
own, which names the earlier ones that its verdict rests on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from pv.contract import Runs
from pv.counted_evidence import counted_record
from pv.demonstration import plants_of
from pv.discharge_check import Work
from pv.dosing import Dosed
from pv.errors import BindingError, EvidenceError
from pv.evidence import Record, read_record, records_of
from pv.expression import Measurements, measurements_from_json, measurements_to_json
from pv.freshness import current_inputs
from pv.jobs import Measured
from pv.measuring import Stop
from pv.outcome import Discharge, Plant
from pv.planning import Declined, Ready
from pv.predicate import Judged, measurements_of, subject_tag
from pv.runs import cited_runs, counts, missing_runs, run_key, union
from pv.status import vacuous
from pv.verdict import judge

__all__ = ["SeveralRuns"]


class SeveralRuns(Work):
    """The discharge of one falsifier that has ``runs:``."""

    @property
    def runs(self) -> Runs:
        """How its runs are told apart."""
        if self.falsifier.runs is None:
            raise TypeError(f"{self.falsifier.id} is no claim over several runs")
        return self.falsifier.runs

    def run(self) -> Discharge:
        """Discharge it.

        Raises
        ------
        Stop, PvError
            As :meth:`pv.discharge_check.Work.run`.
        """
        if self.falsifier.outcome == "refuted":
            raise BindingError(
                "runs: has no use in a claim that is known to be false",
                where=self.falsifier.key_where("runs"),
                remedy="take it out",
            )
        if self.runs.by == "seed" and self.options.seed is not None:
            raise Stop("Error", "its runs are told apart by seed, so --seed has no use")
        self.measured: dict[str, Measured] = {}
        return super().run()

    def _judge(
        self,
        ready: Ready,
        *,
        plant: str | None = None,
        dose: Dosed | None = None,
        arguments: Mapping[str, Any] | None = None,
        what: str = "",
    ) -> Judged:
        """Judge the repetitions of the base level, the last of them damaged by `plant` or `dose`."""
        seeds = self.runs.seeds or (self.options.seed or 0,) * self.runs.at_least
        if plant is None and dose is None:
            for number, seed in enumerate(seeds, start=1):
                name = f"seed-{seed}" if self.runs.by == "seed" else f"repetition-{number}"
                self.measured[name] = self.measurer.measure(
                    ready, self.base, seed=seed, arguments=arguments, what=what or name
                )
        last = list(self.measured)[-1]
        run = self.measured[last]
        if plant is not None or dose is not None:
            run = self.measurer.measure(
                ready, self.base, seed=seeds[-1], plant=plant, dose=dose, arguments=arguments
            )
        together = {name: measurements_of(done) for name, done in self.measured.items()}
        measurements = union({**together, last: measurements_of(run)})
        return Judged(run, measurements, judge(self._rule(self.base), measurements, self.binding.metrics))

    def _reach(
        self,
        algorithm: Ready,
        target: Ready,
        judged: Judged,
        shown: Mapping[str, Any],
        plants: tuple[Plant, ...],
    ) -> Discharge:
        self._record(algorithm, judged, shown)
        earlier = {run.predicate["place"]["run"]: run for run in self._on_record(target)}
        known = {} if self._must_run() else dict(earlier)
        measured = {key: _own(run) for key, run in earlier.items()}
        last: Judged | None = None
        for key, seed in self._wanted():
            if key in known:
                continue
            run = self._run_of(target, key, seed)
            own = measurements_of(run)
            measured[key] = own
            verdict = judge(self._rule(target.level), union(measured), self.binding.metrics)
            last = Judged(run, own, verdict)
            self._record(target, last, {"runs": self._cites(key, earlier)}, key=key, seed=seed)
            if self.options.record:
                earlier[key] = read_record(self._path(target, key))
        self.records += [self.config.relative(run.path) for key, run in known.items()]
        seconds = last.run.seconds if last else 0.0
        return self._together(target, measured, plants, seconds, fresh=False)

    def _wanted(self) -> Iterator[tuple[str, int]]:
        """Yield the key and the seed of each run that is to be made here and now."""
        if self.runs.by == "seed":
            yield from ((f"seed-{seed}", seed) for seed in self.runs.seeds)
            return
        # The day on which it was begun, also where midnight passes meanwhile: the record says when that was.
        today = dt.datetime.fromisoformat(self.started_at).date()
        seed = self.options.seed or 0
        yield run_key(self.runs.by, seed=seed, today=today), seed

    def _run_of(self, target: Ready, key: str, seed: int) -> Measured:
        if target.level == self.base:
            # The base level was measured just now, by this seed: by day and host, each repetition is one.
            return self.measured[key] if self.runs.by == "seed" else next(iter(self.measured.values()))
        return self.measurer.measure(target, target.level, seed=seed, what=f"{target.level}, {key}")

    def _cites(self, key: str, earlier: Mapping[str, Record]) -> dict[str, Any]:
        return {
            "by": self.runs.by,
            "key": key,
            "at_least": self.runs.at_least,
            "cites": [
                {
                    "key": cited.key,
                    "record": cited.record,
                    "sha256": cited.sha256,
                    "measurements": measurements_to_json(cited.measurements),
                }
                for cited in cited_runs(earlier.values(), besides=key)
            ],
        }

    def _on_record(self, target: Ready) -> Iterator[Record]:
        """Yield the runs of the level `target` that are on record, fresh, and asked for."""
        now = current_inputs(self.falsifier, target.level, self.config)
        if {role: artefact.identity for role, artefact in target.artefacts.items()} != {
            role: now.artefacts[role] for role in target.artefacts
        }:
            return  # other bytes than the pinned ones were given: no run of those is a run of these
        for path in records_of(self.config.evidence, self.contract.stem, self.falsifier.id):
            try:
                record = counted_record(path, self.config)
            except EvidenceError:
                continue
            place = record.predicate["place"]
            if (
                place["level"] == target.level
                and counts(self.runs, str(place.get("run")))
                and self._is_fresh(record, target.level)
            ):
                yield record

    def _fresh(self, target: Ready) -> Discharge | None:
        algorithm = self._prepare("algorithm")
        if isinstance(algorithm, Declined):
            return None
        shown = self._fresh_record(algorithm)
        if shown is None:
            return None
        plants = plants_of(shown.predicate)
        missed = vacuous(self.falsifier, shown.predicate)
        if missed or shown.predicate["verdict"]["outcome"] != "Pass" or target.level == "algorithm":
            return super()._fresh(algorithm)
        known = {record.predicate["place"]["run"]: record for record in self._on_record(target)}
        if any(key not in known for key, _ in self._wanted()):
            return None
        self.records += [self.config.relative(record.path) for record in (shown, *known.values())]
        measured = {key: _own(record) for key, record in known.items()}
        return self._together(target, measured, plants, 0.0, fresh=True)

    def _together(
        self,
        target: Ready,
        measured: Mapping[str, Measurements],
        plants: tuple[Plant, ...],
        seconds: float,
        *,
        fresh: bool,
    ) -> Discharge:
        verdict = judge(self._rule(target.level), union(measured), self.binding.metrics).to_json()
        outcome, message = self._outcome(verdict, plants, "")
        if missing := missing_runs(self.runs, list(measured)):
            outcome, message = "Declined", missing
        return Discharge(
            self.address,
            self.falsifier.rule,
            outcome,
            target.level,
            subject_tag(target, self.config),
            target.device_tag,
            message,
            verdict,
            plants,
            tuple(self.declined),
            tuple(self.records),
            fresh=fresh,
            seconds=seconds,
            runs=tuple(sorted(measured)),
        )


def _own(record: Record) -> Measurements:
    """Return what one run measured itself, without the runs that it cites."""
    return measurements_from_json(record.predicate["measurements"])
