"""Hold two implementations against each other, stage by stage, each stage on the reference's inputs.

The reference computes once, and what each of its stages makes is recorded. The candidate computes then,
and wherever it completes a stage its value is recorded and the reference's put in its place: so that the
next stage computes on the reference's inputs, and an error shows in the stage that makes it and in no
later one. The first stage whose own error exceeds the budget of its dtype is the culprit.

Where the candidate is a saved trace the roles are exchanged: the reference computes on the trace's values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from pv_runtime.bisect.budgets import UNIT
from pv_runtime.bisect.inputs import Inputs
from pv_runtime.bisect.judge import KNOWN_ROUNDINGS, Judge, StageResult
from pv_runtime.bisect.preconditions import differing_numbers, require_dtypes, require_same_shape
from pv_runtime.bisect.recording import Recording
from pv_runtime.bisect.sides import Side, compute_injected, passes_of, record
from pv_runtime.bisect.weights_at_hand import WeightsAtHand

__all__ = ["Bisection", "Trace", "bisect"]


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
    backend
        The back-end that computed it, where that is known.
    """

    name: str
    tokens: Tensor
    values: Recording
    dtype: torch.dtype = torch.float32
    backend: str = ""


def bisect(
    reference: Side | Trace,
    candidate: Side | Trace,
    tokens: Tensor,
    *,
    decoded: int = 3,
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
        values, own = recorded, live
    else:
        if not isinstance(reference, Side):
            raise TypeError("two saved traces have nothing to compute with")
        progress("the reference computes, each stage on the trace's values")
        recorded = own = candidate.values
        values = compute_injected(reference, tokens, recorded, passes, below("reference"))
    notes += _uncompared(values, own)
    coarser = max((_dtype(reference), _dtype(candidate)), key=lambda each: UNIT[each])
    progress("the stages are judged")
    known = reference if isinstance(reference, Side) else candidate
    computing = candidate if isinstance(candidate, Side) else reference
    assert isinstance(known, Side) and isinstance(computing, Side)  # noqa: S101, PT018 - one of them computes
    weights = WeightsAtHand(
        reference if isinstance(reference, Side) else None, candidate if isinstance(candidate, Side) else None
    )
    inputs = Inputs(
        recorded, values if recorded is own else own, computing.backend.takes, tokens, known.architecture,
        weights.reference, UNIT[coarser],
    )  # fmt: skip
    judge = Judge(values, own, inputs, tokens, passes, known.architecture, weights)
    judge.weights_are_candidates = isinstance(reference, Trace)
    judge.known_roundings = KNOWN_ROUNDINGS.get(_computed_by(candidate), frozenset())
    judge.roundings_of_the_reference = KNOWN_ROUNDINGS.get(_computed_by(reference), frozenset())
    return Bisection(
        tuple(tokens.tolist()),
        passes,
        tuple(judge.results()),
        tuple(notes),
        str(coarser).removeprefix("torch."),
    )


def _computed_by(side: Side | Trace) -> str:
    return side.backend.name if isinstance(side, Side) else side.backend


def _dtype(side: Side | Trace) -> torch.dtype:
    return side.dtype


def _uncompared(values: Recording, own: Recording) -> Iterator[str]:
    """Say which stages one side does not show at all; those of one layer alone are a finding."""
    ours, theirs = ({stage for stage, _ in each} for each in (values, own))
    for names, what in ((ours - theirs, "candidate"), (theirs - ours, "reference")):
        if names:
            yield f"not shown by the {what}, and judged with the stage after it: {', '.join(sorted(names))}"
