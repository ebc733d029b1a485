"""Plan → run → judge → record, for a falsifier that is bound to a check.

At the algorithm level the rule is surveyed and every counter-example is planted at the cheapest
level that has a subject; then the highest level that this host can judge is judged. A falsifier
that does not notice one of its own counter-examples is vacuous, whatever it measured.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.agreement import disagreement
from pv.binding import Binding, bind_falsifier
from pv.bound_to import differences
from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.counted_evidence import counted_record
from pv.demonstration import demonstrate, plants_of
from pv.dosing import Dosed
from pv.enough import enough_of, is_cited
from pv.errors import EvidenceError
from pv.evidence import Record, record_path, superseded, write_record
from pv.fit import fit
from pv.freshness import base_level, changes, clause_digest, closure_of, current_inputs, satisfying_roles
from pv.host import Gpu, gpus
from pv.measuring import Measurer, Stop, Tell
from pv.notes import notes_in, notes_of
from pv.outcome import Discharge, Options, Outcome, Plant
from pv.planning import Declined, Ready, levels_of, prepare
from pv.predicate import Judged, build_predicate, measurements_of, subject_tag
from pv.recorded import Enough
from pv.runner import Runner
from pv.status import unjudged, vacuous
from pv.subjects import Artefact, Subjects
from pv.survey import survey
from pv.verdict import judge
from pv.verify import metrics_to_json

__all__ = ["Work"]


class Work:
    """The discharge of one falsifier, step by step."""

    def __init__(
        self,
        contract: Contract,
        falsifier: Falsifier,
        config: Config,
        subjects: Subjects,
        runner: Runner,
        options: Options,
        tell: Tell,
        declined: list[Declined],
        visible: Sequence[Gpu] | None = None,
    ) -> None:
        """Take what it needs; `visible` are the GPUs to plan with, by default those of this host."""
        self.gpus = gpus() if visible is None else visible
        self.contract = contract
        self.falsifier = falsifier
        self.config = config
        self.subjects = subjects
        self.options = options
        self.address = f"{contract.stem}#{falsifier.id}"
        self.binding: Binding = bind_falsifier(falsifier, config)
        self.closure = closure_of(falsifier, config)
        self.base = base_level(falsifier)
        self.declined = declined
        self.measurer = Measurer(falsifier, self.binding, self.closure, config, runner, tell, declined)
        self.records: list[str] = []
        self.satisfying: dict[str, Artefact] = {}
        now = dt.datetime.now(dt.UTC)
        if options.today is not None:
            now = dt.datetime.combine(options.today, now.timetz())
        self.started_at = now.isoformat(timespec="seconds")

    def run(self) -> Discharge:
        """Discharge it.

        Raises
        ------
        Stop
            It ends without a verdict.
        PvError
            Its clause does not fit, or something that it needs is not as it is stated.
        """
        fit(self.falsifier, self.binding)
        target = self._choose()
        if not self._must_run() and (done := self._fresh(target)):
            return done
        algorithm = target if target.level == "algorithm" else self._prepare("algorithm")
        if isinstance(algorithm, Declined):
            self.declined.append(algorithm)
            raise Stop("Declined", f"its counter-examples cannot be run here: {algorithm.why}")
        if target.level not in {"algorithm", self.base} and (before := self._shown_before(algorithm)):
            # That it can fail was shown by the same code on the same stand-in.
            final = self._judge(target)
            self._record(target, final, {})
            return self._end(target, final, plants_of(before), "")
        judged = self._judge(algorithm)
        shown, plants = self._show(algorithm, judged)
        rule = {"lines": self._rule(self.base), "metrics": metrics_to_json(self.binding.metrics)}
        missed = vacuous(self.falsifier, {**shown, "rule": rule, "verdict": judged.verdict.to_json()})
        wanted = "Fail" if self.falsifier.outcome == "refuted" else "Pass"
        if target.level == "algorithm" or judged.verdict.outcome != wanted or missed:
            self._record(algorithm, judged, shown)
            return self._end(algorithm, judged, plants, missed)
        return self._reach(algorithm, target, judged, shown, plants)

    def release(self) -> None:
        """Let others have what was leased for its runs."""
        self.measurer.release()

    def foresee(self) -> Discharge | Ready:
        """Return the end that is on record and fresh, or else what :meth:`run` would judge; runs nothing.

        A subject that is yet to be built is handed to the runner, as in a run.

        Raises
        ------
        Stop, PvError
            As :meth:`run`.
        """
        fit(self.falsifier, self.binding)
        target = self._choose()
        if not self._must_run() and (done := self._fresh(target)):
            return done
        if target.level != "algorithm" and isinstance(found := self._prepare("algorithm"), Declined):
            self.declined.append(found)
            raise Stop("Declined", f"its counter-examples cannot be run here: {found.why}")
        return target

    def _reach(
        self,
        algorithm: Ready,
        target: Ready,
        judged: Judged,
        shown: Mapping[str, Any],
        plants: tuple[Plant, ...],
    ) -> Discharge:
        """Judge the level `target`, now that the falsifier was shown able to fail."""
        # The cheapest level may be the one that is judged: then it was measured just now.
        final = judged if target.level == self.base else self._judge(target)
        self._record(algorithm, judged, shown)
        self._record(target, final, {})
        return self._end(target, final, plants, "")

    def _must_run(self) -> bool:
        names = (name for roles in self.falsifier.subjects.values() for name in roles.values())
        overridden = any(map(self.subjects.overridden, names))
        return self.options.force or not self.options.record or overridden

    def _lacks_limits(self, predicate: Mapping[str, Any]) -> bool:
        return self.options.limits and set(self.falsifier.must_detect) != set(predicate.get("detection", {}))

    def _choose(self) -> Ready:
        levels = levels_of(self.falsifier)
        asked = self.options.level
        if asked != "auto" and asked not in levels:
            raise Stop("Declined", f"it has no {asked} level (it has: {', '.join(levels)})")
        for level in reversed(levels) if asked == "auto" else (asked,):
            found = self._prepare(level)
            if isinstance(found, Ready):
                return found
            self.declined.append(found)
        raise Stop("Declined", self.declined[0].why)

    def _prepare(self, level: str) -> Ready | Declined:
        return prepare(
            self.falsifier, level, self.subjects, self.gpus, self.options.device, self.measurer.build
        )

    def _judge(
        self,
        ready: Ready,
        *,
        plant: str | None = None,
        dose: Dosed | None = None,
        arguments: Mapping[str, Any] | None = None,
        what: str = "",
    ) -> Judged:
        level = self._level(ready)
        run = self.measurer.measure(
            ready,
            level,
            seed=self.options.seed or 0,
            plant=plant,
            dose=dose,
            arguments=arguments,
            what=what,
            # Of a damaged run only one thing is asked: whether the rule notices.
            enough=None if plant is None and dose is None else self._enough(),
        )
        measurements = measurements_of(run)
        return Judged(run, measurements, judge(self._rule(level), measurements, self.binding.metrics))

    def _enough(self) -> Enough:
        cited = functools.partial(is_cited, self.contract, self.falsifier, self.config)
        return enough_of(self._rules(), self.binding.metrics, cited)

    def _level(self, ready: Ready) -> str:
        """Return the level whose subjects, rule and limits count: the algorithm level has none of its own."""
        return self.base if ready.level == "algorithm" else ready.level

    def _rule(self, level: str) -> tuple[str, ...]:
        return self.falsifier.expectations(level)

    def _rules(self) -> list[tuple[str, ...]]:
        """Return the rule of each level: every one of them has to notice a counter-example."""
        return list(dict.fromkeys((self._rule(self.base), *map(tuple, self.falsifier.expect.values()))))

    def _show(self, ready: Ready, judged: Judged) -> tuple[dict[str, Any], tuple[Plant, ...]]:
        """Survey the rule; plant the counter-examples, or run the satisfying example of a refuted claim."""
        shown: dict[str, Any] = {"survey": survey(self._rule(self.base), self.binding.metrics).to_json()}
        if self.falsifier.outcome == "refuted":
            example = self.falsifier.satisfying_example
            if example is None:
                raise Stop("Error", "a refuted claim needs a satisfying_example: when would it hold?")
            arguments = {**self.falsifier.arguments, **example.get("with", {})}
            other = prepare(
                self.falsifier,
                "algorithm",
                self.subjects,
                self.gpus,
                self.options.device,
                self.measurer.build,
                satisfying=True,
            )
            if isinstance(other, Declined):
                raise Stop("Declined", f"its satisfying example cannot be run here: {other.why}")
            self.satisfying = {
                name: other.artefacts[name.removeprefix("satisfying_example.")]
                for name in satisfying_roles(self.falsifier)
            }
            passing = self._judge(other, arguments=arguments, what="satisfying example")
            shown["satisfying_example"] = {"arguments": arguments, **passing.to_json()}
            return shown, ()
        if not judged.verdict.passed:
            return shown | {"counter_examples": {}}, ()
        before = None if self.options.limits else self._fresh_record(ready)
        found, plants = demonstrate(
            self.falsifier,
            self.binding,
            judged,
            self._rule(self.base),
            lambda name, dose: self._judge(ready, plant=name, dose=dose),
            before.predicate.get("detection") if before else None,
            limits=self.options.limits,
        )
        return shown | found, plants

    def _record(
        self,
        ready: Ready,
        judged: Judged,
        extra: Mapping[str, Any],
        *,
        key: str | None = None,
        seed: int | None = None,
    ) -> None:
        """Write the record of one run; `key` tells it from others of the same claim."""
        if not self.options.record:
            return
        level = self._level(ready)
        path = self._path(ready, key)
        write_record(
            path,
            build_predicate(
                supersedes=superseded(path, clause_digest(self.falsifier)),
                config=self.config,
                contract=self.contract,
                falsifier=self.falsifier,
                binding=self.binding,
                ready=ready,
                base=level,
                rule=self._rule(level),
                judged=judged,
                seed=(self.options.seed or 0) if seed is None else seed,
                run_key=key,
                arguments=self.options.argv,
                started_at=self.started_at,
                extra=extra,
                satisfying=self.satisfying if level == self.base else {},
            ),
        )
        self.records.append(self.config.relative(path))

    def _path(self, ready: Ready, key: str | None = None) -> Path:
        return record_path(
            self.config.evidence,
            self.contract.stem,
            self.falsifier.id,
            ready.level,
            subject_tag(ready, self.config),
            ready.device_tag,
            key,
        )

    def _fresh(self, target: Ready) -> Discharge | None:
        """Return the recorded end where evidence for it is valid and fresh; None where it must be run."""
        algorithm = target if target.level == "algorithm" else self._prepare("algorithm")
        if isinstance(algorithm, Declined):
            return None
        found: list[Record] = []
        for ready in dict.fromkeys(r.level for r in (algorithm, target)):
            chosen = algorithm if ready == "algorithm" else target
            record = self._fresh_record(chosen)
            if record is None or self.options.seed not in {None, record.predicate["run"]["seed"]}:
                return None
            found.append(record)
        shown, last = found[0].predicate, found[-1].predicate
        if self._lacks_limits(shown):
            return None
        plants = plants_of(shown)
        end = self._outcome(last["verdict"], plants, vacuous(self.falsifier, shown))
        return Discharge(
            self.address,
            self.falsifier.rule,
            end[0],
            target.level,
            last["place"]["subject"],
            last["place"]["device"],
            end[1],
            last["verdict"],
            plants,
            tuple(self.declined),
            tuple(self.config.relative(record.path) for record in found),
            fresh=True,
            seconds=last["run"]["seconds"],
            notes=tuple(notes_in(last)),
        )

    def _shown_before(self, algorithm: Ready) -> Mapping[str, Any] | None:
        """Return the valid and fresh record in which the falsifier was shown able to fail; else None."""
        # Of several runs, each has to be asked whether it is the one that is needed.
        if self.falsifier.runs is not None or self._must_run():
            return None
        if (record := self._fresh_record(algorithm)) is None:
            return None
        shown = record.predicate
        wanted = "Fail" if self.falsifier.outcome == "refuted" else "Pass"
        asked = {None, shown["run"]["seed"]}
        if self.options.seed not in asked or shown["verdict"]["outcome"] != wanted:
            return None
        return None if self._lacks_limits(shown) or vacuous(self.falsifier, shown) else shown

    def _fresh_record(self, ready: Ready) -> Record | None:
        """Return the record of what is ready to be judged, where it is valid and fresh; else None."""
        try:
            record = counted_record(self._path(ready), self.config)
        except EvidenceError:
            return None
        return record if self._is_fresh(record, self._level(ready)) else None

    def _is_fresh(self, record: Record, level: str) -> bool:
        """Tell whether a verified record is of the clause, the check and the subjects as they are now."""
        now = current_inputs(self.falsifier, level, self.config)
        return not (
            changes(record.predicate["inputs"], now)
            or differences(self.falsifier, record.predicate)
            or disagreement(self.falsifier, self.binding, record.predicate)
        )

    def _end(self, ready: Ready, judged: Judged, plants: tuple[Plant, ...], missed: str) -> Discharge:
        verdict = judged.verdict.to_json()
        outcome, message = self._outcome(verdict, plants, missed)
        return Discharge(
            self.address,
            self.falsifier.rule,
            outcome,
            ready.level,
            subject_tag(ready, self.config),
            ready.device_tag,
            message,
            verdict,
            plants,
            tuple(self.declined),
            tuple(self.records),
            seconds=judged.run.seconds,
            notes=tuple(notes_of(self._rule(self._level(ready)), judged.measurements)),
        )

    def _outcome(
        self, verdict: Mapping[str, Any], plants: Sequence[Plant], missed: str
    ) -> tuple[Outcome, str]:
        if missed:
            return "Vacuous", missed
        if self.falsifier.outcome == "refuted":
            if why := unjudged(self.falsifier, {"verdict": verdict}):
                return "Fail", why
            if verdict["outcome"] == "Fail":
                return "Refuted", "it fails as stated, and its satisfying example passes"
            return "Fail", "claimed refuted, yet it holds"
        if verdict["outcome"] == "Pass":
            return "Pass", f"{len(plants)} counter-examples caught"
        return "Fail", self.falsifier.if_fails
