"""Guesses at rotary positions: base, pairing, positions, direction, rounding."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from pv_runtime.bisect.case import Attempt, Case
from pv_runtime.bisect.mathematics import angles, turned

__all__ = ["rotation"]

_BASES = (1e4, 1e5, 5e5, 1e6, 1e7)


def rotation(case: Case) -> Iterator[Attempt]:
    """Yield guesses at queries or keys after their rotation."""
    x, positions, a = case.inputs["x"], case.positions, case.architecture
    size, theta = a.head_dim, a.rope_theta
    usual = angles(positions, size, theta)
    yield Attempt("rotation left out", "leaving the rotation out", x)
    yield Attempt(
        "interleaved RoPE", "turning neighbouring pairs instead of halves", turned(x, usual, interleaved=True)
    )
    for base in _BASES:
        if base != theta:
            yield Attempt(
                "wrong rope base", f"setting the base to {base:g}", turned(x, angles(positions, size, base))
            )
    for step in (1, -1):
        moved = angles(positions + step, size, theta)
        yield Attempt("positions off by one", f"adding {step:+d} to the positions", turned(x, moved))
    yield Attempt("rotated backwards", "turning the other way", turned(x, -usual))
    yield Attempt("rotated twice", "turning twice", turned(x, 2 * usual))
    yield from _restarted(case)
    yield from _rounded(x, positions, usual, size, theta)
    frequencies = _measured(case)
    if frequencies is not None:
        yield from _fitted(case, frequencies)


def _restarted(case: Case) -> Iterator[Attempt]:
    """Positions that begin again, or stay behind, where the cache is used."""
    x, a = case.inputs["x"], case.architecture
    if len(case.passes) < 2:
        return
    restarted = torch.cat([torch.arange(end - start) for start, end in case.passes])
    yield Attempt(
        "positions restart with the cache",
        "counting the positions of each pass from 0",
        turned(x, angles(restarted, a.head_dim, a.rope_theta)),
    )
    for step in (1, -1):
        later = case.positions + step * (case.positions >= case.passes[0][1])
        yield Attempt(
            "positions off by one with the cache",
            f"adding {step:+d} to the positions of tokens computed with the cache",
            turned(x, angles(later, a.head_dim, a.rope_theta)),
        )


def _rounded(x: Tensor, positions: Tensor, usual: Tensor, size: int, theta: float) -> Iterator[Attempt]:
    """Frequencies, angles, or cosines and sines in half precision: the error grows with the position."""
    for dtype in (torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        frequencies = (1.0 / theta ** (torch.arange(0, size, 2, dtype=torch.float32) / size)).to(dtype)
        low = positions[:, None].float() * frequencies.float()
        yield Attempt(f"angles in {name}", f"rounding the frequencies to {name}", turned(x, low))
        both = (positions[:, None].to(dtype) * frequencies).float()
        yield Attempt(
            f"angles in {name}", f"multiplying positions and frequencies in {name}", turned(x, both)
        )
        yield Attempt(
            f"angles in {name}",
            f"rounding the angles to {name}",
            turned(x, usual.to(dtype).float()),
        )
        for what, angle in (("", usual), (", of angles multiplied in it", both)):
            cos, sin = angle.cos().to(dtype).float(), angle.sin().to(dtype).float()
            yield Attempt(
                f"angles in {name}",
                f"rounding cosine and sine to {name}{what}",
                _by(x, cos, sin),
            )


def _by(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    count, half = cos.shape
    first, second = x.view(count, -1, 2, half).unbind(2)
    cos, sin = cos[:, None], sin[:, None]
    return torch.stack([first * cos - second * sin, second * cos + first * sin], dim=2).reshape(x.shape)


def _measured(case: Case) -> Tensor | None:
    """Measure how far each pair was turned from each token to the next: float64 ``[head_dim / 2]``, or None.

    The phase of Σ c · conj(x) over heads is the angle. Differences between neighbouring tokens, weighted by
    their size, are below half a turn and need no unwrapping.
    """
    half = case.architecture.head_dim // 2
    count = len(case.positions)
    if count < 4:
        return None

    def numbers(values: Tensor) -> Tensor:
        pairs = values.double().view(count, -1, 2, half)
        return torch.complex(pairs[:, :, 0], pairs[:, :, 1])

    phase = (numbers(case.candidate) * numbers(case.inputs["x"]).conj()).sum(1)
    steps = (phase[1:] * phase[:-1].conj()).sum(0)
    found: Tensor = steps.angle()
    return found if bool(torch.isfinite(found).all()) else None


def _fitted(case: Case, frequencies: Tensor) -> Iterator[Attempt]:
    """Fit the base, and the scale of the positions, to the measured frequencies."""
    x, positions, a = case.inputs["x"], case.positions, case.architecture
    half = a.head_dim // 2
    known = frequencies > 1e-6
    if int(known.sum()) < 2:
        return
    index = torch.arange(half, dtype=torch.float64)[known] / half
    logs = frequencies[known].log()
    # log f = log s - (2i/d) log theta; the fastest pairs are the most exact.
    weights = frequencies[known]
    mean_i, mean_l = (index * weights).sum() / weights.sum(), (logs * weights).sum() / weights.sum()
    spread = (weights * (index - mean_i).square()).sum()
    slope = float((weights * (index - mean_i) * (logs - mean_l)).sum() / spread)
    base, factor = math.exp(min(-slope, 60.0)), float((mean_l - slope * mean_i).exp())
    yield Attempt(
        "wrong rope base", f"setting the base to {base:.4g}", turned(x, angles(positions, a.head_dim, base))
    )
    scaled = float((frequencies * angles(torch.ones(1), a.head_dim, a.rope_theta)[0]).sum()) / float(
        angles(torch.ones(1), a.head_dim, a.rope_theta).square().sum()
    )
    yield Attempt(
        "positions scaled",
        f"multiplying the positions by {scaled:.5g}",
        turned(x, scaled * angles(positions, a.head_dim, a.rope_theta)),
    )
    both = factor * angles(positions, a.head_dim, base)
    yield Attempt(
        "wrong rope base",
        f"setting the base to {base:.4g} and scaling positions by {factor:.4g}",
        turned(x, both),
    )
    free = positions[:, None].float() * frequencies.float()
    yield Attempt("other frequencies", "turning each pair by the frequency measured for it", turned(x, free))
