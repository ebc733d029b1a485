"""What is claimed of the gradient of rotary position embedding: it is the rotation back."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from pv_kernels.rope import rope_backward
from pv_kernels.spec import Arguments, Case, ErrorCase, Property, Results
from pv_kernels.specs.rope import ROPE, drawn
from pv_kernels.specs.samples import used

__all__ = ["ROPE_BACKWARD"]

_BACK = {"q": "dq", "k": "dk"}
_FORTH = {back: forth for forth, back in _BACK.items()}


def _renamed(arguments: Arguments, names: dict[str, str]) -> Arguments:
    return {names.get(name, name): value for name, value in arguments.items()}


def reference(dq: Tensor, dk: Tensor, positions: Tensor, cos: Tensor, sin: Tensor) -> Results:
    """``x cos + (x_high, -x_low) sin`` in float64: the rotation by the negative angle."""
    return ROPE.expected({"q": dq, "k": dk, "positions": positions, "cos": cos, "sin": -sin})


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound ``|fl(y) - y|`` as for the rotation forth: to turn the sign of a sine is exact."""
    forth = _renamed(arguments, _FORTH)
    return ROPE.tolerance({**forth, "sin": -forth["sin"]}, expected)


def _case(case: Case) -> Case:
    return dataclasses.replace(
        case, draw=lambda generator, dtype: _renamed(case.draw(generator, dtype), _BACK)
    )


def _error(case: ErrorCase) -> ErrorCase:
    return dataclasses.replace(case, arguments=lambda: _renamed(case.arguments(), _BACK))


def _transposed(kernel: Any, *, tokens: int, half: int, seed: int) -> float:
    """Compare ``<R x, p>`` with ``<x, R^T p>`` for the rotation R of the forward kernel's formula."""
    generator = torch.Generator().manual_seed(seed)
    forth = drawn(tokens, 3, 2, 2 * half)(generator, torch.float32)
    back = {**_renamed(drawn(tokens, 3, 2, 2 * half)(generator, torch.float32), _BACK)}
    back["positions"] = forth["positions"]
    results, bounds = kernel(**back), tolerance(back, reference(**back))
    left, right, allowed = [], [], []
    for index, name in enumerate(_BACK):
        x, p = forth[name].double(), back[_BACK[name]].double()
        left.append((ROPE.expected(forth)[index] * p).sum())
        right.append((x * results[index].double()).sum())
        allowed.append((x.abs() * bounds[index]).sum())
    return used((torch.stack(right),), (torch.stack(left),), (torch.stack(allowed),))


def _stays_at_zero(kernel: Any, *, tokens: int, half: int, seed: int) -> float:
    """Turn nothing at position 0."""
    arguments = _renamed(
        drawn(tokens, 3, 2, 2 * half)(torch.Generator().manual_seed(seed), torch.bfloat16), _BACK
    )
    dq, dk = kernel(**{**arguments, "positions": torch.zeros(tokens, dtype=torch.int64)})
    alike = torch.equal(dq, arguments["dq"]) and torch.equal(dk, arguments["dk"])
    return 0.0 if alike else float("inf")


_SIZES = {"tokens": (1, 3), "half": (1, 40), "seed": (0, 2**31 - 1)}

ROPE_BACKWARD = dataclasses.replace(
    ROPE,
    name="rope_backward",
    call=rope_backward,
    reference=reference,
    tolerance=tolerance,
    cases=tuple(_case(case) for case in ROPE.cases if case.name != "many_tokens"),
    special=tuple(map(_case, ROPE.special)),
    errors=tuple(map(_error, ROPE.errors)),
    traffic=lambda arguments: ROPE.traffic(_renamed(arguments, _FORTH)),
    operations=lambda arguments: ROPE.operations(_renamed(arguments, _FORTH)),
    properties=(
        Property("transposed", _SIZES, _transposed),
        Property("nothing_at_zero", _SIZES, _stays_at_zero),
    ),
)
