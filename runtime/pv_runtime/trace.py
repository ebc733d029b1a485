"""Watch a forward pass: figures of every stage, without a change to what is computed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.stage_names import StageKey, in_order, stage_features
from pv_runtime.stages import LAYER_STAGES, STAGES, Tap
from pv_runtime.trace_statistics import StageStatistics, stage_statistics

__all__ = ["Candidate", "Recorder", "Trace", "Watched", "chosen", "top_candidates", "trace"]

_TOP = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A token that may come next; `probability` is its softmax in float64, over the finite logits."""

    token: int
    logit: float
    probability: float


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """What was seen of one forward pass.

    Parameters
    ----------
    tokens
        Ids of the prompt.
    dtype
        Of the computation: ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    layers
        How many blocks the model has, traced or not.
    statistics
        Of each stage that was asked for, in the order of computation.
    top
        The likeliest next tokens, the best first.
    """

    tokens: tuple[int, ...]
    dtype: str
    layers: int
    statistics: tuple[StageStatistics, ...]
    top: tuple[Candidate, ...]

    def of(self, stage: str, layer: int | None = None) -> StageStatistics:
        """Return one stage's figures; raises `KeyError` where it was not traced."""
        for each in self.statistics:
            if (each.stage, each.layer) == (stage, layer):
                return each
        raise KeyError((stage, layer))


class Recorder:
    """A tap that measures what passes, hands on what is to be kept, and returns its argument.

    Parameters
    ----------
    measured
        Stages whose figures are taken.
    kept
        Stages that are handed to `keep`.
    keep
        Called as ``keep(stage, layer, values)``, ``[tokens, features]``; must not change them.
    """

    def __init__(
        self,
        measured: Collection[StageKey],
        kept: Collection[StageKey] = (),
        keep: Callable[[str, int | None, Tensor], None] | None = None,
    ) -> None:
        self._measured, self._kept, self._keep = frozenset(measured), frozenset(kept), keep
        self.statistics: list[StageStatistics] = []

    def __call__(self, stage: str, layer: int | None, values: Tensor) -> Tensor:
        """Look at ``[1, tokens, features]``."""
        if (stage, layer) in self._measured:
            self.statistics.append(stage_statistics(stage, layer, values[0]))
        if self._keep is not None and (stage, layer) in self._kept:
            self._keep(stage, layer, values[0])
        return values

    def in_order(self) -> tuple[StageStatistics, ...]:
        """Return what was measured, in the order of `stages.STAGES`."""
        found = {(each.stage, each.layer): each for each in self.statistics}
        return tuple(found[key] for key in in_order(found))


def chosen(
    architecture: Architecture, stages: Collection[str] | None = None, layers: Collection[int] | None = None
) -> dict[StageKey, int]:
    """Return the stages of these names and layers (all by default) and their features, in order.

    With `layers`, stages of the whole model are left out unless `stages` names them.
    """
    features = stage_features(architecture)
    found: dict[StageKey, int] = {}
    for stage in STAGES:
        if stages is not None and stage not in stages:
            continue
        if stage in LAYER_STAGES:
            for layer in range(architecture.layers) if layers is None else layers:
                found[stage, layer] = features[stage]
        elif layers is None or stages is not None:
            found[stage, None] = features[stage]
    return {key: found[key] for key in in_order(found)}


class Watched(Protocol):
    """What can be traced: our decoder, or another implementation behind `backends.Backend`."""

    @property
    def architecture(self) -> Architecture:
        """The numbers of the model."""

    def forward(self, tokens: Tensor, *, tap: Tap) -> Tensor:
        """Compute logits ``[1, tokens, vocab]``, showing each stage to `tap`."""


def trace(
    model: Watched,
    tokens: Sequence[int],
    *,
    measured: Collection[StageKey] | None = None,
    kept: Collection[StageKey] = (),
    keep: Callable[[str, int | None, Tensor], None] | None = None,
) -> Trace:
    """Compute the logits of `tokens` and measure every stage (or those of `measured`) on the way.

    The logits are those of a plain forward pass, bit for bit: the tap hands on what it is given.

    Raises
    ------
    ModelError
        No tokens, ids out of range, or more of them than the model was made for.
    """
    recorder = Recorder(chosen(model.architecture) if measured is None else measured, kept, keep)
    logits = model.forward(torch.tensor([list(tokens)], dtype=torch.int64), tap=recorder)
    return Trace(
        tuple(tokens),
        str(logits.dtype).removeprefix("torch."),
        model.architecture.layers,
        recorder.in_order(),
        top_candidates(logits[0, -1]),
    )


def top_candidates(logits: Tensor, count: int = _TOP) -> tuple[Candidate, ...]:
    """Return the `count` best of ``[vocab]``; those that are not finite are no candidates."""
    wide = logits.double()
    wide = wide.masked_fill(~wide.isfinite(), -math.inf)
    best = wide.topk(min(count, len(wide)))
    shares = wide.softmax(0)[best.indices]
    rows = zip(best.indices.tolist(), best.values.tolist(), shares.tolist(), strict=True)
    return tuple(Candidate(*row) for row in rows if row[1] > -math.inf)
