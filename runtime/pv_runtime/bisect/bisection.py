"""Hold two implementations against each other, stage by stage, each stage on the reference's inputs.

The reference computes once, and what each of its stages makes is recorded. The candidate computes then, and
wherever it completes a stage its value is recorded and the reference's put in its place: so that the next stage
computes on the reference's inputs, and an error shows in the stage that makes it and in no later one. The first
stage whose own error exceeds the budget of its dtype is the culprit.

Where the candidate is a saved trace the roles are exchanged: the reference computes on the trace's values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.bisect.budgets import UNIT, excess, sigma
from pv_runtime.bisect.case import Case
from pv_runtime.bisect.diagnose import Explanation, explain
from pv_runtime.bisect.figures import Figures, measure
from pv_runtime.bisect.mathematics import ROLES, evaluate
from pv_runtime.bisect.preconditions import differing_numbers, require_dtypes, require_same_shape
from pv_runtime.bisect.recording import Recording
from pv_runtime.bisect.sides import Side, compute_injected, passes_of, record
from pv_runtime.bisect.storage import judge_storage
from pv_runtime.bisect.weights_at_hand import WeightsAtHand
from pv_runtime.stages import LAYER_STAGES

__all__ = ["Bisection", "StageResult", "Trace", "bisect", "judge"]

_LOOKED_INTO = 3
"""Layers of one stage whose error is explained; a wrong ε is wrong in all of them."""


@dataclasses.dataclass(frozen=True, slots=True)
class StageResult:
    """One stage of one block.

    Parameters
    ----------
    stage, layer
        Which one; the layer is None for stages of the whole model.
    part
        ``"q"``, ``"k"`` or ``"v"`` where one of the three is wrong.
    figures
        The candidate's own error; None where the candidate never reached the stage.
    excess
        That error, in multiples of the budget: 1 is the most that rounding explains.
    culprit
        Whether it exceeds its budget.
    storage
        How the candidate's weight is stored otherwise, where it is, and that explains the error.
    explanation
        What it looks like, where it was looked into.
    """

    stage: str
    layer: int | None
    part: str
    figures: Figures | None
    excess: float
    culprit: bool
    storage: str = ""
    explanation: Explanation | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Bisection:
    """All stages that were compared, in the order of computation.

    Parameters
    ----------
    tokens
        int64 ids.
    passes
        Ranges of tokens that the candidate computed at a time.
    stages
        One result for each.
    notes
        What a reader must know beside.
    dtype
        That the budgets are of.
    """

    tokens: tuple[int, ...]
    passes: tuple[tuple[int, int], ...]
    stages: tuple[StageResult, ...]
    notes: tuple[str, ...]
    dtype: str

    @property
    def culprits(self) -> tuple[StageResult, ...]:
        """The stages beyond their budgets; the first is where it begins."""
        return tuple(each for each in self.stages if each.culprit)


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """Stage values that somebody computed and saved.

    Parameters
    ----------
    name
        What people call it.
    tokens
        int64 ``[tokens]`` that it was computed of.
    values
        Its stages.
    dtype
        That it was computed in.
    """

    name: str
    tokens: Tensor
    values: Recording
    dtype: torch.dtype = torch.float32


def bisect(
    reference: Side | Trace,
    candidate: Side | Trace,
    tokens: Tensor,
    *,
    decoded: int = 4,
    folder: Path | None = None,
    mixed_dtypes: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Bisection:
    """Compare two sides, at least one of which computes, over int64 ``[tokens]``.

    Parameters
    ----------
    decoded
        Tokens at the end that the candidate computes with its cache, where it has one.
    folder
        Keeps what is computed, so that a run that ended early goes on from there.
    mixed_dtypes
        Whether the two may compute in two dtypes; the budgets are then those of the coarser.
    progress
        Told what begins.

    Raises
    ------
    ModelError
        The two cannot be compared; the message says why.
    """
    below = (lambda name: folder / name) if folder is not None else (lambda _: None)
    notes: list[str] = []
    passes: tuple[tuple[int, int], ...] = ((0, len(tokens)),)
    if not mixed_dtypes:
        require_dtypes(*(str(_dtype(each)).removeprefix("torch.") for each in (reference, candidate)))
    if isinstance(reference, Side) and isinstance(candidate, Side):
        require_same_shape(reference.architecture, candidate.architecture)
        notes += differing_numbers(reference.architecture, candidate.architecture)
    if isinstance(candidate, Side):
        if isinstance(reference, Side):
            progress("the reference computes")
            recorded = record(reference, tokens, below("reference"))
        else:
            recorded = reference.values
        if candidate.cached and decoded and len(tokens) > 1:
            passes = passes_of(len(tokens), decoded)
        progress("the candidate computes, each stage on the reference's values")
        live = compute_injected(candidate, tokens, recorded, passes, below("candidate"))
        values, own, inputs = recorded, live, recorded
    else:
        if not isinstance(reference, Side):
            raise TypeError("two saved traces have nothing to compute with")
        progress("the reference computes, each stage on the trace's values")
        inputs = candidate.values
        values = compute_injected(reference, tokens, inputs, passes, below("reference"))
        own = candidate.values
    notes += _uncompared(values, own)
    unit = max(UNIT[_dtype(reference)], UNIT[_dtype(candidate)])
    progress("the stages are judged")
    known = reference if isinstance(reference, Side) else candidate
    assert isinstance(known, Side)  # noqa: S101 - one of them computes
    weights = WeightsAtHand(
        reference if isinstance(reference, Side) else None, candidate if isinstance(candidate, Side) else None
    )
    results = judge(
        values, own, inputs, tokens, passes, known.architecture, weights, unit, known.backend.shows
    )
    coarser = max((_dtype(reference), _dtype(candidate)), key=lambda each: UNIT[each])
    return Bisection(
        tuple(tokens.tolist()), passes, tuple(results), tuple(notes), str(coarser).removeprefix("torch.")
    )


def _dtype(side: Side | Trace) -> torch.dtype:
    return side.dtype


def _uncompared(values: Recording, own: Recording) -> Iterator[str]:
    """Say which stages one side does not show at all; those of one layer alone are a finding."""
    ours, theirs = ({stage for stage, _ in each.keys()} for each in (values, own))
    for names, what in ((ours - theirs, "candidate"), (theirs - ours, "reference")):
        if names:
            yield f"not shown by the {what}, and judged with the stage after it: {', '.join(sorted(names))}"


def judge(
    values: Recording,
    own: Recording,
    inputs: Recording,
    tokens: Tensor,
    passes: Sequence[tuple[int, int]],
    architecture: Architecture,
    weights: WeightsAtHand,
    unit: float,
    shows: frozenset[str],
) -> list[StageResult]:
    """Judge every stage that both sides show; `inputs` is what both computed from."""
    results: list[StageResult] = []
    looked_into: dict[str, int] = {}
    shown = {stage for stage, _ in own.keys()}
    for stage, layer in values.keys():
        if stage not in shown or stage not in shows:
            continue
        if (stage, layer) not in own:
            results.append(_never_reached(stage, layer))
            continue
        case = _case(stage, layer, values, own, inputs, tokens, tuple(passes), architecture, weights, unit)
        look = looked_into.get(stage, 0) < _LOOKED_INTO
        found = list(_judged(case, weights, look=look))
        looked_into[stage] = looked_into.get(stage, 0) + any(each.culprit for each in found)
        results += found
    return _merged(results)


def _never_reached(stage: str, layer: int | None) -> StageResult:
    return StageResult(stage, layer, "", None, float("inf"), culprit=True)


def _merged(results: list[StageResult]) -> list[StageResult]:
    """Say of a block none of whose stages was reached that it was skipped, at its first stage."""
    missing = [each for each in results if each.figures is None]
    layers = {each.layer for each in missing}
    out = []
    for each in results:
        if each.figures is not None or each.layer not in layers:
            out.append(each)
            continue
        whole = each.layer is not None and sum(m.layer == each.layer for m in missing) == sum(
            r.layer == each.layer for r in results
        )
        layers.discard(each.layer)
        words = (
            "the candidate passes from the block before to the one after" if whole else "the stage is missing"
        )
        signature = "layer skipped" if whole else "never computed"
        nan = float("nan")
        out.append(dataclasses.replace(each, explanation=Explanation(signature, words, True, nan, nan)))
    return out


def _case(
    stage: str,
    layer: int | None,
    values: Recording,
    own: Recording,
    inputs: Recording,
    tokens: Tensor,
    passes: tuple[tuple[int, int], ...],
    architecture: Architecture,
    weights: WeightsAtHand,
    unit: float,
) -> Case:
    reference, candidate = values.values(stage, layer), own.values(stage, layer)
    given = _inputs(stage, layer, inputs, tokens, architecture)
    weight = weights.reference(stage, layer)
    return Case(
        stage=stage,
        layer=layer,
        architecture=architecture,
        inputs=given,
        reference=reference,
        candidate=candidate,
        sigma=sigma(stage, given, weight, reference, architecture, unit),
        weight=weight,
        other=weights.candidate(stage, layer),
        positions=torch.arange(len(tokens)),
        passes=passes,
        siblings=lambda: weights.siblings(stage, layer),
        readings=lambda: weights.readings(stage, layer),
    )


def _inputs(
    stage: str, layer: int | None, inputs: Recording, tokens: Tensor, architecture: Architecture
) -> dict[str, Tensor]:
    if stage == "embedding":
        return {"tokens": tokens}
    found = {}
    for role, source in ROLES[stage].items():
        name, _, part = source.partition(".")
        key = _source(name, layer, architecture)
        if key in inputs:
            whole = inputs.values(*key)
            found[role] = whole[:, _parts(architecture)[part]] if part else whole
    return found


def _source(name: str, layer: int | None, architecture: Architecture) -> tuple[str, int | None]:
    if name in LAYER_STAGES:
        return name, layer
    if name != "block_input":
        return name, None
    before = architecture.layers if layer is None else layer
    return ("embedding", None) if before == 0 else ("layer_output", before - 1)


def _parts(a: Architecture) -> dict[str, slice]:
    ends = np.cumsum([a.query_size, a.kv_size, a.kv_size]).tolist()
    return {name: slice(start, end) for name, start, end in zip("qkv", [0, *ends], ends, strict=False)}


def _judged(case: Case, weights: WeightsAtHand, *, look: bool) -> Iterable[StageResult]:
    """Judge one stage, or where only some of q, k and v are wrong, each of those."""
    difference = case.candidate - case.reference
    if excess(difference, case.sigma) <= 1:
        yield _result(case, 0.0 + excess(difference, case.sigma), culprit=False)
        return
    parts = [case]
    if case.stage in {"qkv_matmul", "qkv_bias"}:
        parts = [_only(case, name, where, weights) for name, where in _parts(case.architecture).items()]
    sound = []
    for part in parts:
        found = _judged_part(part, weights, look=look)
        if found.culprit:
            yield found
        else:
            sound.append(found)
    if len(sound) == len(parts):
        worst = max(sound, key=lambda each: each.excess)
        yield dataclasses.replace(worst, part="", figures=measure(case.reference, case.candidate))


def _judged_part(case: Case, weights: WeightsAtHand, *, look: bool) -> StageResult:
    beyond = excess(case.candidate - case.reference, case.sigma)
    if beyond <= 1:
        return _result(case, beyond, culprit=False)
    if case.weight is None or case.other is None or torch.equal(case.weight, case.other):
        return _result(case, beyond, culprit=True, explanation=explain(case) if look else None)
    stored = judge_storage(case.weight, case.other, *weights.dtypes(case.stage, case.layer, case.part))
    if not stored.accepted:
        return _result(case, beyond, culprit=True, explanation=explain(case) if look else None)
    # The weights are the same but for how they are stored: what remains is the computation's.
    expected = evaluate(case.stage, case.inputs, case.other, case.architecture)
    left = excess(case.candidate - expected, case.sigma)
    if left <= 1:
        return _result(case, left, culprit=False, storage=stored.words)
    other = dataclasses.replace(case, reference=expected, weight=case.other, other=None)
    return _result(
        case, left, culprit=True, storage=stored.words, explanation=explain(other) if look else None
    )


def _only(case: Case, name: str, where: slice, weights: WeightsAtHand) -> Case:
    """One of q, k and v."""

    def rows(values: Tensor | None) -> Tensor | None:
        return None if values is None else values[where]

    inputs = dict(case.inputs)
    if case.stage == "qkv_bias":
        inputs["x"] = inputs["x"][:, where]
    return dataclasses.replace(
        case,
        part=name,
        inputs=inputs,
        reference=case.reference[:, where],
        candidate=case.candidate[:, where],
        sigma=case.sigma[:, where],
        weight=rows(case.weight),
        other=rows(case.other),
        siblings=lambda: weights.siblings(case.stage, case.layer, name),
        readings=lambda: weights.readings(case.stage, case.layer, name),
    )


def _result(
    case: Case,
    beyond: float,
    *,
    culprit: bool,
    storage: str = "",
    explanation: Explanation | None = None,
) -> StageResult:
    figures = measure(case.reference, case.candidate)
    return StageResult(case.stage, case.layer, case.part, figures, beyond, culprit, storage, explanation)
