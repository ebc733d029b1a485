"""Gates before a model is handed on: what all of them together say, and what they say of a broken model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.formats import Checkpoint, Overlay
from pv_runtime.formats.overlay import from_values
from pv_runtime.qa.gate import REQUIRED, Outcome, Result, Settings
from pv_runtime.qa.gate import verdict as gates_verdict
from pv_runtime.qa.subject import Subject
from pv_runtime.qa.suite import GATES, run_gates
from pv_runtime.quant.scheme import Floats

__all__ = ["gate_logic", "gates_of_a_model"]

Verdict = Callable[[Sequence[Result]], Outcome]


@check(
    metrics=[
        Metric("combinations", unit="1", kind="count"),
        Metric("wrong", unit="1", kind="count"),
        Metric("passes", unit="1", kind="count"),
        Metric("incomplete", unit="1", kind="count"),
        Metric("incomplete_passed", unit="1", kind="count"),
    ]
)
def gate_logic(run: Run) -> None:
    """Judge every combination of passed, failed and declined of the eight required gates.

    `wrong` is 1 for each combination that passes though not all eight did, or does not though they did;
    `passes` counts those that pass. `incomplete` counts reports of eight passes from which one gate was
    taken, to which one was added twice, and the empty one; `incomplete_passed` is 1 for each that passes.
    """
    verdict: Verdict = run.role("verdict", gates_verdict)
    names = sorted(REQUIRED)
    others = [Result(name, Outcome.PASSED, "") for name in GATES if name not in REQUIRED]
    combinations = passes = 0
    for outcomes in itertools.product(Outcome, repeat=len(names)):
        results = [Result(name, outcome, "") for name, outcome in zip(names, outcomes, strict=True)]
        passed = verdict([*results, *others]) is Outcome.PASSED
        expected = all(outcome is Outcome.PASSED for outcome in outcomes)
        label = ", ".join(f"{result.name} {result.outcome}" for result in results if passed != expected)
        run.record("wrong", int(passed != expected), label=label or None)
        passes += passed
        combinations += 1
    whole = [Result(name, Outcome.PASSED, "") for name in names]
    reports: list[tuple[str, list[Result]]] = [("none", [])]
    reports += [(f"without {name}", [result for result in whole if result.name != name]) for name in names]
    reports += [(f"twice {result.name}", [*whole, result]) for result in whole]
    for label, report in reports:
        run.record("incomplete_passed", int(verdict(report) is Outcome.PASSED), label=label)
    run.record("combinations", combinations)
    run.record("passes", passes)
    run.record("incomplete", len(reports))


@gate_logic.counter_example("declined_counts_as_passed", of="verdict")
def declined_counts_as_passed(verdict: Verdict) -> Verdict:
    """Count what was not carried out as passed."""

    def lenient(results: Sequence[Result]) -> Outcome:
        return Outcome.PASSED if verdict(results) is Outcome.DECLINED else verdict(results)

    return lenient


@gate_logic.counter_example("looks_at_what_is_there", of="verdict")
def looks_at_what_is_there(verdict: Verdict) -> Verdict:
    """Ask only whether anything failed or was declined: an empty report passes."""
    del verdict
    return lambda results: (
        Outcome.PASSED if all(result.outcome is Outcome.PASSED for result in results) else Outcome.FAILED
    )


@gate_logic.counter_example("six_of_eight_suffice", of="verdict")
def six_of_eight_suffice(verdict: Verdict) -> Verdict:
    """Let two of the required gates be anything."""

    def generous(results: Sequence[Result]) -> Outcome:
        passed = sum(result.required and result.outcome is Outcome.PASSED for result in results)
        return Outcome.PASSED if passed >= 6 else verdict(results)

    return generous


@gate_logic.counter_example("never_passes", of="verdict")
def never_passes(verdict: Verdict) -> Verdict:
    """Fail whatever was found."""
    del verdict
    return lambda _results: Outcome.FAILED


@check(
    metrics=[
        Metric("asked", unit="1", kind="count"),
        Metric("passed", unit="1", kind="count"),
        Metric("failed", unit="1", kind="count"),
        Metric("declined", unit="1", kind="count"),
        Metric("registered", unit="1", kind="count"),
    ]
)
def gates_of_a_model(run: Run, *, model: Checkpoint, gates: Sequence[str]) -> None:
    """Put `model` through `gates`, those that need no other program and no GPU.

    `asked` counts them; `passed`, `failed` and `declined` are 1 for each that ended so. `registered` counts
    the gates that there are.
    """
    subject = Subject(model.path)
    subject.checkpoint = model
    for result in run_gates(subject, Settings(), only=gates):
        if result.name in gates:
            label = f"{result.name}: {result.message}"[:200]
            run.record("passed", int(result.outcome is Outcome.PASSED), label=label)
            run.record("failed", int(result.outcome is Outcome.FAILED), label=label)
            run.record("declined", int(result.outcome is Outcome.DECLINED), label=label)
    run.record("asked", len(gates))
    run.record("registered", len(GATES))


@gates_of_a_model.counter_example("one_weight_is_nan", of="model")
def one_weight_is_nan(model: Checkpoint) -> Checkpoint:
    """Make one weight NaN."""
    name = model.matrices()[-1]

    def damaged() -> Floats:
        values = model.tensor(name).copy()
        values[0, 0] = np.nan
        return values

    return Overlay(model, replace={name: from_values(name, model.info(name).shape, damaged, "F32")})


@gates_of_a_model.counter_example("embedding_mostly_zeros", of="model")
def embedding_mostly_zeros(model: Checkpoint) -> Checkpoint:
    """Let the embedding begin with zeros, as one does that was read from the wrong place."""
    name = "model.embed_tokens.weight"

    def damaged() -> Floats:
        values = model.tensor(name).copy()
        values[: len(values) * 945 // 1000] = 0
        return values

    return Overlay(model, replace={name: from_values(name, model.info(name).shape, damaged, "F32")})


@gates_of_a_model.counter_example("base_of_another_family", of="model")
def base_of_another_family(model: Checkpoint) -> Checkpoint:
    """Say in the config that the rotary base is 10000, which no Qwen2 has."""
    config = model.metadata["config"]
    changed = {**config, "rope_theta": 10000.0} if isinstance(config, dict) else {}
    return Overlay(model, metadata={**model.metadata, "config": changed})


@gates_of_a_model.counter_example("family_unknown", of="model")
def family_unknown(model: Checkpoint) -> Checkpoint:
    """Say in the config that it is a mamba."""
    config = model.metadata["config"]
    changed = {**config, "model_type": "mamba"} if isinstance(config, dict) else {}
    return Overlay(model, metadata={**model.metadata, "config": changed})
