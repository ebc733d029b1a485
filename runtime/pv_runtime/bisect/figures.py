"""How far a stage's values are from another implementation's, in a few figures."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

__all__ = ["Figures", "measure"]


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """Own error of a stage.

    Parameters
    ----------
    relative_l2
        |candidate - reference| / |reference|.
    cosine, one_minus_cosine
        Of all values together; the difference from 1 is computed by itself, as |a/|a| - b/|b||² / 2, and has
        digits where the cosine has none left.
    max_over_rms
        Largest difference over the reference's root mean square.
    worst_token, worst_feature
        Where that is.
    not_finite
        Values of the candidate that are NaN or infinite, where the reference's are not.
    """

    relative_l2: float
    cosine: float
    one_minus_cosine: float
    max_over_rms: float
    worst_token: int
    worst_feature: int
    not_finite: int


def measure(reference: Tensor, candidate: Tensor) -> Figures:
    """Compare ``[tokens, features]``; values that are not finite make the figures NaN, and are counted."""
    if torch.equal(reference, candidate):
        return Figures(0.0, 1.0, 0.0, 0.0, 0, 0, 0)
    broken = ~torch.isfinite(candidate) & torch.isfinite(reference)
    count = int(broken.sum())
    difference = (candidate - reference).abs_()
    place = int(broken.flatten().int().argmax()) if count else int(difference.argmax())
    token, feature = divmod(place, reference.shape[1])
    ours, theirs = reference.double(), candidate.double()
    size, other = float(ours.norm()), float(theirs.norm())
    error, largest = float(difference.double().norm()), float(difference.max())
    rms = size / math.sqrt(reference.numel())
    apart = float((ours / size - theirs / other).square().sum()) / 2 if size and other else 1.0
    return Figures(
        relative_l2=error / size if size else math.inf,
        cosine=1 - apart,
        one_minus_cosine=apart,
        max_over_rms=largest / rms if rms else math.inf,
        worst_token=token,
        worst_feature=feature,
        not_finite=count,
    )
