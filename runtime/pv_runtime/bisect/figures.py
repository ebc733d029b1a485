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
    cosine
        Of all values together.
    max_over_rms
        Largest difference over the reference's root mean square.
    worst_token, worst_feature
        Where that is.
    not_finite
        Values of the candidate that are NaN or infinite, where the reference's are not.
    """

    relative_l2: float
    cosine: float
    max_over_rms: float
    worst_token: int
    worst_feature: int
    not_finite: int


def measure(reference: Tensor, candidate: Tensor) -> Figures:
    """Compare ``[tokens, features]``; values that are not finite make the figures NaN, and are counted."""
    broken = ~torch.isfinite(candidate) & torch.isfinite(reference)
    count = int(broken.sum())
    difference = (candidate - reference).double()
    place = int(broken.flatten().int().argmax()) if count else int(difference.abs().argmax())
    size, other = float(reference.double().norm()), float(candidate.double().norm())
    error = float(difference.norm())
    token, feature = divmod(place, reference.shape[1])
    rms = size / math.sqrt(reference.numel())
    dot = float((reference.double() * candidate.double()).sum())
    return Figures(
        relative_l2=error / size if size else (math.inf if error else 0.0),
        cosine=dot / (size * other) if size and other else (1.0 if size == other else 0.0),
        max_over_rms=float(difference.abs().max()) / rms if rms else (math.inf if error else 0.0),
        worst_token=token,
        worst_feature=feature,
        not_finite=count,
    )
