"""One stage of one block, as two implementations computed it from the same inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor

from pv_runtime.architecture import Architecture

__all__ = ["Attempt", "Case", "relative"]


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """A guess at what an implementation does, carried out.

    Parameters
    ----------
    signature
        What it looks like, in a few words that are the same wherever it is found.
    experiment
        What was done to the reference, as a clause: ``transposing the weight``.
    predicted
        What the candidate would then compute, float32 ``[tokens, features]``.
    """

    signature: str
    experiment: str
    predicted: Tensor


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """What is known of a stage whose own error is looked into.

    Parameters
    ----------
    stage, layer
        Which one; the layer is None for stages of the whole model.
    architecture
        The reference's numbers.
    inputs
        What the stage computes from, float32 ``[tokens, features]`` by role; `mathematics.ROLES`.
    reference, candidate
        What each side computes, float32 ``[tokens, features]``.
    sigma
        Standard deviation of rounding that is expected of each value; `budgets.sigma`.
    weight, other
        The stage's weight on the reference's side and, where it is known, on the candidate's.
    positions
        int64 ``[tokens]``.
    passes
        Ranges of tokens that the candidate computed at a time, the later ones with its cache.
    siblings
        Other weights of the reference, of the same shape, with what they are; made when asked for.
    readings
        The reference's stored bytes, decoded as other block formats; made when asked for.
    part
        Which features these are, where the stage was split: ``"q"``, ``"k"`` or ``"v"``.
    """

    stage: str
    layer: int | None
    architecture: Architecture
    inputs: Mapping[str, Tensor]
    reference: Tensor
    candidate: Tensor
    sigma: Tensor
    weight: Tensor | None
    other: Tensor | None
    positions: Tensor
    passes: tuple[tuple[int, int], ...]
    siblings: Callable[[], Iterable[tuple[str, Tensor]]]
    readings: Callable[[], Iterable[tuple[str, Tensor]]]
    part: str = ""


def relative(difference: Tensor, values: Tensor) -> float:
    """Return |difference| / |values|, both L2; 0 where both are zero."""
    size, error = float(values.double().norm()), float(difference.double().norm())
    return error / size if size else (0.0 if error == 0.0 else float("inf"))
