"""The derived ladder: a falsifier's status is a function of contracts, sources, evidence and pins.

Nobody types a status. What the contract claims is compared with what is derived here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pv.agreement import disagreement
from pv.binding import Binding, bind_falsifier
from pv.bound_to import differences, measured_on
from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.counted_evidence import Fault, counted_records
from pv.defects import proved_defects, read_rule
from pv.errors import ExpressionError, PvError
from pv.evidence import Record, records_of
from pv.expression import measurements_from_json
from pv.expression.settled import failed_already
from pv.freshness import Inputs, changes, closure_of, current_inputs
from pv.host import gpu_satisfies
from pv.planning import levels_of
from pv.runs import complete, copied, measurements_together
from pv.verdict import judge, passes
from pv.verify import metrics_from_json

__all__ = [
    "LADDER",
    "NOT_GATED",
    "Status",
    "contract_status",
    "derive",
    "rank",
    "supports",
    "unjudged",
    "vacuous",
]

LADDER = (
    "VACUOUS",
    "FALSIFIED",
    "STALE",
    "UNBOUND",
    "PARTIAL_ALGORITHM_LEVEL",
    "FUNCTIONAL",
    "DISCHARGED",
)
"""Worst first. ``REFUTED`` ranks with the best; ``EXCLUDED`` is outside the tally."""

NOT_GATED = "NOT GATED"
_BEYOND = {"REFUTED": len(LADDER) - 1, "EXCLUDED": len(LADDER)}


@dataclasses.dataclass(frozen=True)
class Status:
    """A derived status, the reason in one sentence, and the records it rests on."""

    name: str
    reason: str
    records: tuple[Record, ...] = ()
    before: str = ""
    """Of ``STALE``: the status that the evidence supported before it went stale."""
    step: str = ""
    """Of a record that a policy does not let count: what to do about it. The reason says it as well."""

    def __str__(self) -> str:
        return self.name


def rank(name: str) -> int | None:
    """Return the place of a status on the ladder, 0 the worst; None for a word that is not on it."""
    return LADDER.index(name) if name in LADDER else _BEYOND.get(name)


def supports(derived: str, claimed: str) -> bool:
    """Tell whether evidence for the status `derived` bears out the word `claimed`.

    ``REFUTED`` and ``EXCLUDED`` bear out no claim that something holds, nor the other way round.
    """
    if derived == claimed:
        return True
    if derived == "REFUTED":
        derived = "PARTIAL_ALGORITHM_LEVEL"
    if derived not in LADDER or claimed not in LADDER:
        return False
    return LADDER.index(derived) >= LADDER.index(claimed)


def contract_status(statuses: Iterable[tuple[Falsifier, Status]]) -> str:
    """Return the worst status of the ship-blocking falsifiers; NOT GATED where there is none."""
    gating = [s.name for f, s in statuses if f.ship_blocking and s.name != "EXCLUDED"]
    return min(gating, key=lambda name: rank(name) or 0) if gating else NOT_GATED


def derive(
    contract: Contract,
    falsifier: Falsifier,
    config: Config,
    *,
    standing: Callable[[Contract, Falsifier], Status] | None = None,
) -> Status:
    """Derive the status of one falsifier from what the tree holds; runs nothing.

    A record that does not verify, or not satisfy a policy of the project, counts for nothing, and the status
    says so. `standing` tells the status of what a gate cites: a caller who keeps statuses need not have them
    derived again. By default they are.

    Raises
    ------
    PolicyError, ConfigError
        There are records, and a policy that they must satisfy cannot be read.
    """
    if falsifier.excluded:
        return Status("EXCLUDED", falsifier.excluded)
    if falsifier.basis:
        return _derive_gate(contract, falsifier, config, standing)
    if not falsifier.bound:
        return Status("UNBOUND", "no check is bound to it")
    try:
        binding = bind_falsifier(falsifier, config)
        closure_of(falsifier, config)
    except PvError as error:
        return Status("UNBOUND", f"its check cannot be bound: {error.what}")
    planted = binding.counter_examples if falsifier.counter_examples is None else falsifier.counter_examples
    if falsifier.outcome == "holds" and not planted:
        return Status("VACUOUS", "no counter-example shows that it can fail")
    if why := _no_test(falsifier, binding):
        return Status("VACUOUS", why)
    records, faults = counted_records(records_of(config.evidence, contract.stem, falsifier.id), config)
    if not records:
        return _at(faults[0]) if faults else Status("UNBOUND", "never run: no evidence")
    return _judge(falsifier, binding, lambda level: current_inputs(falsifier, level, config), records, faults)


def _derive_gate(
    contract: Contract,
    falsifier: Falsifier,
    config: Config,
    standing: Callable[[Contract, Falsifier], Status] | None,
) -> Status:
    # Imported late: few contracts have gates.
    from pv.basis import NoBasisError, binding_of, gather, inputs_of, misquoted
    from pv.selection import load_all

    records, faults = counted_records(records_of(config.evidence, contract.stem, falsifier.id), config)
    try:
        of = standing or (lambda other, cited: derive(other, cited, config))
        pieces = gather(falsifier, load_all(config), of)
    except NoBasisError as error:
        if not records:
            return Status("UNBOUND", error.what)
        return Status("STALE", error.what, tuple(records), _supported(records, falsifier))
    except PvError as error:
        return Status("UNBOUND", f"its basis cannot be read: {error.what}")
    binding = binding_of(pieces, falsifier)
    if why := _no_test(falsifier, binding):
        return Status("VACUOUS", why)
    if not records:
        return _at(faults[0]) if faults else Status("UNBOUND", "never judged: no evidence")
    now = inputs_of(falsifier, pieces)
    for record in [*records]:
        if not changes(record.predicate["inputs"], now) and (fault := misquoted(pieces, record.predicate)):
            records.remove(record)
            faults.append(Fault(f"{'/'.join(record.path.parts[-3:])}: {fault}"))
    return _judge(falsifier, binding, lambda _level: now, records, faults)


def _judge(
    falsifier: Falsifier,
    binding: Binding,
    inputs_at: Callable[[str], Inputs],
    records: Sequence[Record],
    faults: list[Fault],
) -> Status:
    fresh: list[Record] = []
    stale: list[tuple[Record, tuple[str, ...]]] = []
    for record in records:
        level = record.predicate["place"]["base_level"]
        found = changes(record.predicate["inputs"], inputs_at(level))
        found += differences(falsifier, record.predicate)
        if not found and (fault := disagreement(falsifier, binding, record.predicate)):
            faults.append(Fault(f"{'/'.join(record.path.parts[-3:])}: {fault}"))
        elif not found:
            fresh.append(record)
        elif not _of_other_bytes(record):
            stale.append((record, found))
    # On several devices, there are several: each must show it.
    shows = [r for r in fresh if r.predicate["place"]["level"] == "algorithm"]
    shown = shows[0] if shows else None
    runs = [r for r in fresh if r.predicate["place"]["level"] != "algorithm" and _device_counts(falsifier, r)]
    for record in shows:
        if why := vacuous(falsifier, record.predicate):
            return Status("VACUOUS", why, (record,))
    missing, counted = "", runs
    if falsifier.runs is not None:
        if falsifier.runs.by == "host" and (fault := copied(runs)):
            faults.append(Fault(fault))
        counted, missing = complete(falsifier, falsifier.runs, runs)
    if falsified := _falsified(falsifier, shows, runs, counted):
        return falsified
    runs = counted
    if faults:
        return _at(faults[0])
    for record, found in stale:
        level = record.predicate["place"]["level"]
        # A stale record counts for nothing where its level has a fresh one, or is a level no more.
        if level in levels_of(falsifier) and not any(r.predicate["place"]["level"] == level for r in fresh):
            return Status(
                "STALE", "; ".join(found), (record,), _supported([*fresh, *(r for r, _ in stale)], falsifier)
            )
    if shown is None:
        if runs:
            return Status("STALE", "its counter-examples have no evidence; discharge it again", tuple(runs))
        return Status("UNBOUND", "no evidence on what is pinned, from a device that its level needs")
    reached = {r.predicate["place"]["level"] for r in runs}
    over = f", over {', '.join(str(r.predicate['place']['run']) for r in runs)}" if falsifier.runs else ""
    # A seed that was chosen is a choice that a reader should see.
    chosen = {r.predicate["run"]["seed"] for r in (shown, *runs)} - {0} if not falsifier.runs else set()
    over += f", with seed {', '.join(map(str, sorted(chosen)))}" if chosen else ""
    hosts = sorted({measured_on(falsifier, r.predicate) for r in runs} - {""})
    over += f", on {'; on '.join(hosts)}" if hosts else ""
    if falsifier.outcome == "refuted":
        if reached:
            return Status("REFUTED", "fails as stated; its satisfying example passes", (shown, *runs))
        return Status("PARTIAL_ALGORITHM_LEVEL", "fails as stated at algorithm level only", (shown,))
    if "live" in reached:
        return Status("DISCHARGED", f"judged live{over}", (shown, *runs))
    if "functional" in reached:
        return Status("FUNCTIONAL", f"judged on a stand-in{over}", (shown, *runs))
    lacking = f"; {missing}" if missing else ""
    return Status("PARTIAL_ALGORITHM_LEVEL", f"survey and counter-examples only{lacking}", (shown,))


def _falsified(
    falsifier: Falsifier, shows: Sequence[Record], runs: Sequence[Record], counted: Sequence[Record]
) -> Status | None:
    """Return FALSIFIED where a record, or several runs together, are not judged as the claim wants them.

    Of a claim over several runs, `counted` are those of the levels that have as many as they need.
    """
    wanted = "Fail" if falsifier.outcome == "refuted" else "Pass"
    for record in shows if falsifier.runs else (*runs, *shows):
        if record.predicate["verdict"]["outcome"] != wanted:
            return Status("FALSIFIED", _summary(record, falsifier), (record,))
        if why := unjudged(falsifier, record.predicate):
            return Status("FALSIFIED", why, (record,))
    if falsifier.runs is None:
        return None
    devices = list(dict.fromkeys(str(record.predicate["place"]["device"]) for record in runs))
    alone = [[r for r in runs if r.predicate["place"]["device"] == device] for device in devices]
    # Of two devices that made one run, the union holds one: so each must stand for itself as well.
    each = [complete(falsifier, falsifier.runs, some)[0] for some in alone] if len(devices) > 1 else []
    for some in (counted, *each):
        if fault := _together(falsifier, some, wanted):
            return Status("FALSIFIED", fault, tuple(some))
    return None


def _together(falsifier: Falsifier, runs: Sequence[Record], wanted: str) -> str:
    """Say which level's runs, taken together, are not judged as they are `wanted`; empty if all are."""
    by_level: dict[str, list[Record]] = {}
    for record in runs:
        by_level.setdefault(record.predicate["place"]["level"], []).append(record)
    for level, records in by_level.items():
        metrics = metrics_from_json(records[0].predicate["rule"]["metrics"])
        verdict = judge(falsifier.expectations(level), measurements_together(records), metrics)
        if verdict.outcome != wanted:
            keys = ", ".join(str(record.predicate["place"]["run"]) for record in records)
            failing = next((f": {line.text}" for line in verdict.lines if not line.truth), "")
            return f"fails at {level} level over {keys}{failing}"
    return ""


def _at(fault: Fault) -> Status:
    """Return the status of a falsifier that has a record which does not count, whatever its others say."""
    return Status("UNBOUND", f"{fault.what}; {fault.step}" if fault.step else fault.what, step=fault.step)


def _no_test(falsifier: Falsifier, binding: Binding) -> str:
    """Say why a rule of the clause, at any level, could not fail or not pass; empty if that is not proved."""
    for lines in falsifier.expect.values():
        try:
            found = proved_defects(read_rule(lines), binding.metrics)
        except ExpressionError as error:
            return f"its rule cannot be read: {error.what}"
        if found:
            return f"its rule is no test: {found[0].message}"
    return ""


def vacuous(falsifier: Falsifier, predicate: Mapping[str, Any]) -> str:
    """Say why an algorithm-level record shows a falsifier that cannot fail when it must; empty if it can."""
    defects = [d for d in predicate.get("survey", {}).get("defects", []) if d["kind"] != "undetermined"]
    if defects:
        return f"its rule is no test: {defects[0]['message']}"
    missed = [name for name, plant in predicate.get("counter_examples", {}).items() if not plant["caught"]]
    if missed:
        return f"it does not notice its counter-example {missed[0]}"
    if why := _missed_above(falsifier, predicate):
        return why
    if falsifier.outcome == "refuted":
        if why := unjudged(falsifier, predicate):
            return why
        example = predicate.get("satisfying_example")
        if example is None or example["verdict"]["outcome"] != "Pass":
            return "its satisfying example does not pass"
    elif predicate["verdict"]["outcome"] == "Pass" and not predicate.get("counter_examples"):
        return "no counter-example was run"
    return ""


def unjudged(falsifier: Falsifier, predicate: Mapping[str, Any]) -> str:
    """Say why a claim that is known to be false fails only for want of a measurement; empty if it is false.

    What was not measured, or is no number, fails every rule. That refutes nothing.
    """
    verdict = predicate["verdict"]
    if falsifier.outcome != "refuted" or verdict["outcome"] != "Fail":
        return ""
    faults = [
        line["reason"]
        for line in verdict["lines"]
        if not (line["truth"] or line["comparisons"] or line["reason"] == f"{line['text']} is false")
    ]
    reason = verdict["reason"] or (faults[0] if faults else "")
    return f"claimed refuted, but it could not be judged: {reason}" if reason else ""


def _missed_above(falsifier: Falsifier, predicate: Mapping[str, Any]) -> str:
    """Say which counter-example the rule of another level lets pass; empty if none.

    The counter-examples run where the base level's rule judges. Where levels have rules of their own,
    each must be shown able to see as well: a strict one below a lax one would show nothing.
    """
    for level, lines in falsifier.expect.items():
        if list(lines) == list(predicate["rule"]["lines"]):
            continue
        metrics = metrics_from_json(predicate["rule"]["metrics"])
        for name, plant in predicate.get("counter_examples", {}).items():
            measured = measurements_from_json(plant["measurements"])
            # What a run that was cut short lacks says nothing: this rule, too, must have failed for certain.
            noticed = not passes(lines, measured, metrics)
            if plant.get("whole", True) is not True:
                noticed = failed_already(read_rule(lines), measured, metrics)
            if not noticed:
                return f"its rule at {level} level does not notice the counter-example {name}"
    return ""


def _device_counts(falsifier: Falsifier, record: Record) -> bool:
    place = record.predicate["place"]
    need = falsifier.needs_at(place["level"]).gpu
    if need is None:
        return True
    capability = place.get("capability")
    return isinstance(capability, str) and gpu_satisfies(need, capability)


def _of_other_bytes(record: Record) -> bool:
    """Tell whether a run was given other bytes than those pinned: it says nothing of the claim."""
    names = str(record.predicate["place"]["subject"]).split("+")
    return any(
        f"{subject['name']}@{str(subject['sha256'])[:12]}" in names
        for subject in record.predicate["subjects"].values()
    )


def _supported(records: Sequence[Record], falsifier: Falsifier) -> str:
    """Return what `records` would support if all of them were fresh."""
    wanted = "Fail" if falsifier.outcome == "refuted" else "Pass"
    if any(record.predicate["verdict"]["outcome"] != wanted for record in records):
        return "FALSIFIED"
    levels = {r.predicate["place"]["level"] for r in records if _device_counts(falsifier, r)}
    if falsifier.outcome == "refuted" and levels - {"algorithm"}:
        return "REFUTED"
    names = {"live": "DISCHARGED", "functional": "FUNCTIONAL", "algorithm": "PARTIAL_ALGORITHM_LEVEL"}
    return next((name for level, name in names.items() if level in levels), "UNBOUND")


def _summary(record: Record, falsifier: Falsifier) -> str:
    place = record.predicate["place"]
    if falsifier.outcome == "refuted":
        return f"claimed refuted, yet it holds at {place['level']} level"
    failing = next((line for line in record.predicate["verdict"]["lines"] if not line["truth"]), None)
    return f"fails at {place['level']} level" + (f": {failing['text']}" if failing else "")
