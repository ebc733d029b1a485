"""Guesses that hold for any stage: values scaled, left out, or in another order."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pv_runtime.bisect.case import Attempt, Case

__all__ = ["closest_rows", "matched_columns", "rearranged", "scaled"]


def scaled(case: Case) -> Iterator[Attempt]:
    """Zero; one factor for all values; one constant added to all."""
    r, c = case.reference, case.candidate
    yield Attempt("all zero", "leaving the stage out and passing on zeros", torch.zeros_like(r))
    factor = float((c.double() * r.double()).sum() / r.double().square().sum().clamp(min=1e-300))
    yield Attempt("scaled", f"multiplying by {factor:.7g}", r * factor)
    x = case.inputs.get("x")
    if x is not None and x.shape == r.shape:
        yield Attempt("left out", "passing the stage's input through", x)
    shift = float((c.double() - r.double()).mean())
    yield Attempt("constant offset", f"adding {shift:.7g} to every value", r + shift)


def rearranged(case: Case) -> Iterator[Attempt]:
    """Rows or columns of the reference, in the order in which they resemble the candidate's."""
    r, c = case.reference, case.candidate
    if len(r) > 1:
        order = closest_rows(r, c)
        if bool((order != torch.arange(len(r))).any()):
            yield Attempt("values of another token", f"taking tokens {_shift(order)}", r[order])
    columns = matched_columns(r, c)
    if columns is not None:
        yield Attempt("permuted rows", f"reordering the features: {_runs(columns)}", r[:, columns])


def closest_rows(r: Tensor, c: Tensor) -> Tensor:
    """For each row of `c` the index of the row of `r` that is nearest, int64 ``[rows]``."""
    distance = r.square().sum(1)[None] - 2 * (c @ r.T)
    return distance.argmin(1)


def matched_columns(r: Tensor, c: Tensor) -> Tensor | None:
    """For each column of `c` the column of `r` that is nearest; None where they are in place already.

    Nearest among the neighbours in the order of a random projection, so that wide stages take n log n.
    """
    if len(r) < 2 or not bool(torch.isfinite(c).all()):
        return None
    direction = torch.randn(len(r), generator=torch.Generator().manual_seed(5))
    ours, theirs = direction @ r, direction @ c
    order = ours.argsort()
    place = torch.searchsorted(ours[order].contiguous(), theirs.contiguous())
    window = torch.stack([place + step for step in range(-3, 4)]).clamp(0, len(order) - 1)
    candidates = order[window]  # [7, features]
    gap = torch.stack([(r[:, each] - c).square().sum(0) for each in candidates])
    chosen = candidates.gather(0, gap.argmin(0)[None])[0]
    return None if bool((chosen == torch.arange(len(chosen))).all()) else chosen


def _shift(order: Tensor) -> str:
    steps = (order - torch.arange(len(order))).tolist()
    step = max(set(steps), key=steps.count)
    if step and steps.count(step) >= len(steps) - 1:
        return f"{abs(step)} {'before' if step < 0 else 'after'} each"
    return f"{order[:8].tolist()}{' …' if len(order) > 8 else ''} instead"


def _runs(columns: Tensor) -> str:
    """Describe an order by its runs of consecutive features."""
    breaks = ((columns[1:] - columns[:-1]) != 1).nonzero().flatten().tolist()
    runs = []
    for start, end in zip([0, *(each + 1 for each in breaks)], [*breaks, len(columns) - 1], strict=True):
        if start != int(columns[start]):
            runs.append(f"{start}-{end} are {int(columns[start])}-{int(columns[end])}")
    return ", ".join(runs[:4]) + (f" and {len(runs) - 4} runs more" if len(runs) > 4 else "")
