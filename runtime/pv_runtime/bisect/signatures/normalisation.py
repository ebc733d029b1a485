"""Guesses at a norm: ε, the weight's offset, another kind of norm, none at all."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pv_runtime.bisect.case import Attempt, Case
from pv_runtime.bisect.mathematics import normalised

__all__ = ["normalisation"]

_USUAL = (0.0, 1e-12, 1e-8, 1e-7, 1e-6, 5e-6, 1e-5, 1e-4, 1e-3)


def normalisation(case: Case) -> Iterator[Attempt]:
    """Yield guesses at RMSNorm; ε is measured, and said as the usual value that it is nearest to."""
    x, weight, epsilon = case.inputs["x"], case.weight, case.architecture.rms_norm_eps
    assert weight is not None  # noqa: S101 - norms have weights
    plain = normalised(x, epsilon)
    for usual in _USUAL:
        if usual != epsilon:
            yield Attempt("wrong eps", f"setting ε to {usual:g}", normalised(x, usual) * weight)
    measured = _measured(case)
    if measured is not None:
        yield Attempt("wrong eps", f"setting ε to {measured:.3g}", normalised(x, measured) * weight)
    yield Attempt("norm weight off by one", "adding 1 to the norm's weight", plain * (weight + 1))
    yield Attempt("norm weight off by one", "subtracting 1 from the norm's weight", plain * (weight - 1))
    yield Attempt("norm weight left out", "leaving the norm's weight out", plain)
    yield Attempt("norm left out", "multiplying by the weight alone", x * weight)
    centred = x - x.mean(-1, keepdim=True)
    yield Attempt(
        "LayerNorm for RMSNorm", "subtracting the mean first", normalised(centred, epsilon) * weight
    )
    total = x * torch.rsqrt(x.square().sum(-1, keepdim=True) + epsilon) * weight
    yield Attempt("sum for mean", "dividing by the root of the sum of squares", total)
    for dtype in (torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        yield Attempt(
            f"rounded to {name}", f"rounding the weight to {name}", plain * weight.to(dtype).float()
        )
        yield Attempt(
            f"rounded to {name}", f"rounding the quotient to {name}", plain.to(dtype).float() * weight
        )
    for what, other in case.siblings():
        yield Attempt("wrong tensor", f"taking the weight of {what}", plain * other)


def _measured(case: Case) -> float | None:
    """Fit ε: the ratio a of the two norms of a token gives (m + ε)/a² - m, m the mean square."""
    x, r, c = case.inputs["x"].double(), case.reference.double(), case.candidate.double()
    ratio: Tensor = (c * r).sum(1) / r.square().sum(1)
    if not bool((ratio > 0).all()):
        return None
    mean = x.square().mean(1)
    found = (mean + case.architecture.rms_norm_eps) / ratio.square() - mean
    # Tokens of small mean square tell most: the others' digits are lost in the difference.
    value = float(found[mean.argsort()[: max(1, len(mean) // 4)]].median())
    return value if 0 <= value < 1 else None
