"""What is claimed of the gradient of SwiGLU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError
from pv_kernels.rounding import gamma, underflow, unit_roundoff
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Property, Results
from pv_kernels.specs.samples import itemsize, normal, used, with_value
from pv_kernels.swiglu_backward import SPACE, swiglu_backward, swiglu_backward_kernel

__all__ = ["SWIGLU_BACKWARD"]

SHAPES = {
    "qwen2_5_0_5b": (2, 4864),
    "qwen2_5_7b": (1, 18944),
    "many_rows": (3, 22016),
    "three_dimensions": (2, 3, 512),
    "weird": (5, 123),
    "one_row": (1, 64),
    "one_column": (4, 1),
    "odd": (2, 1025),
    "empty": (0, 4864),
    "no_columns": (3, 0),
}


def reference(dy: Tensor, gate: Tensor, up: Tensor) -> Results:
    """``dy u s (1 + g (1 - s))`` and ``dy g s`` in float64."""
    dy64, gate64 = dy.double(), gate.double()
    sigmoid = torch.sigmoid(gate64)
    return dy64 * up.double() * sigmoid * (1 + gate64 * (1 - sigmoid)), dy64 * gate64 * sigmoid


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound the absolute errors by the roundings on the way to dg and du.

    s has ``2 |g| + 4`` from the exponential, an addition and a quotient, as in the forward kernel: e
    relative, so that ``1 - s`` is off by ``s e`` and one rounding. Its product with g and the sum with 1 have
    one each, and what cancels in the sum counts by magnitude. Three products follow, or two, then the
    result's type.
    Where exp(-g) leaves float32, s is smaller than its smallest normal number.
    """
    dy, gate, up = (arguments[name].double() for name in ("dy", "gate", "up"))
    dtype = arguments["gate"].dtype
    size = gate.abs().nan_to_num(0, 0, 0)
    sigmoid = torch.sigmoid(gate).nan_to_num(0)
    off = gamma(2 * size.clamp(max=90) + 4 + 1 + 4)
    slope = 1 + size * (1 - sigmoid)
    slope_off = size * sigmoid * off * (1 + gamma(3)) + gamma(3) * slope
    off3 = (1 + off) * (1 + gamma(3)) - 1
    gate_off = (dy * up).abs() * sigmoid * (slope_off * (1 + off3) + slope * off3)
    up_off = expected[1].abs() * ((1 + off) * (1 + gamma(2)) - 1)
    tiny = torch.finfo(torch.float32).smallest_normal
    lost = torch.where(gate < -80, tiny, 0.0)
    inside = (gate_off + lost * (dy * up).abs() * slope, up_off + lost * (dy * gate).abs())
    return tuple(
        off + unit_roundoff(dtype) * (result.abs() + off) + underflow(dtype)
        for off, result in zip(inside, expected, strict=True)
    )


def _drawn(*shape: int, scale: float = 2.0) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        return {
            "dy": normal(generator, dtype, *shape),
            "gate": normal(generator, dtype, *shape, scale=scale),
            "up": normal(generator, dtype, *shape),
        }

    return draw


def _saturated(_: torch.Generator, dtype: torch.dtype) -> Arguments:
    gate = torch.linspace(-120, 120, 241).to(dtype)[None]
    return {"dy": torch.ones_like(gate), "gate": gate, "up": torch.full_like(gate, -2.0)}


def _flat(_: torch.Generator, dtype: torch.dtype) -> Arguments:
    """Let g be where silu is flat, so that ``1 + g (1 - s)`` cancels."""
    gate = torch.linspace(-1.3, -1.25, 123).to(dtype)[None]
    return {"dy": torch.ones_like(gate), "gate": gate, "up": torch.ones_like(gate)}


def _special(name: str, value: float) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = _drawn(3, 123)(generator, dtype)
        return {**arguments, name: with_value(arguments[name], (1, 77), value=value)}

    return draw


def _changed(**changes: Any) -> Any:
    def arguments() -> Arguments:
        drawn = _drawn(3, 896)(torch.Generator().manual_seed(0), torch.float32)
        return {**drawn, **{name: change(drawn["gate"]) for name, change in changes.items()}}

    return arguments


def _linear(kernel: Any, *, rows: int, columns: int, exponent: int, seed: int) -> float:
    """Scale dy by a power of two: both gradients scale by it, bitwise."""
    arguments = _drawn(rows, columns)(torch.Generator().manual_seed(seed), torch.float32)
    scaled = kernel(**{**arguments, "dy": arguments["dy"] * 2.0**exponent})
    alike = all(
        torch.equal(plain * 2.0**exponent, other)
        for plain, other in zip(kernel(**arguments), scaled, strict=True)
    )
    return 0.0 if alike else float("inf")


def _reflected(kernel: Any, *, rows: int, columns: int, seed: int) -> float:
    """Check ``silu'(g) + silu'(-g) = 1``, the derivative of ``silu(g) - silu(-g) = g``."""
    arguments = _drawn(rows, columns)(torch.Generator().manual_seed(seed), torch.float32)
    forth = {**arguments, "up": torch.ones_like(arguments["up"])}
    back = {**forth, "gate": -forth["gate"]}
    total = kernel(**forth)[0].double() + kernel(**back)[0].double()
    allowed = [tolerance(side, reference(**side))[0] for side in (forth, back)]
    return used((total,), (arguments["dy"].double(),), (allowed[0] + allowed[1],))


_SIZES = {"rows": (1, 2), "columns": (1, 600), "seed": (0, 2**31 - 1)}
_NAMES = ("dy", "gate", "up", "dgate", "dup")

SWIGLU_BACKWARD = KernelSpec(
    name="swiglu_backward",
    call=swiglu_backward,
    reference=reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=(
        *(Case(name, _drawn(*shape)) for name, shape in SHAPES.items()),
        Case("saturated", _saturated),
        Case("flat", _flat),
    ),
    special=(
        Case("nan_gradient", _special("dy", float("nan")), "a NaN makes both NaN there, and no other"),
        Case("nan_gate", _special("gate", float("nan")), "a NaN makes both NaN there, and no other"),
        Case("nan_up", _special("up", float("nan")), "a NaN makes dg NaN there, and no other"),
        Case(
            "infinite_gate", _special("gate", float("inf")), "dg is NaN, du an infinity with the sign of dy"
        ),
        Case("minus_infinite_gate", _special("gate", float("-inf")), "NaN both, as the formulas say"),
        Case("infinite_up", _special("up", float("inf")), "dg is an infinity, du as elsewhere"),
        Case("infinite_gradient", _special("dy", float("inf")), "infinities with the signs of the factors"),
    ),
    errors=(
        ErrorCase("float64", _changed(dy=Tensor.double), UnknownDtypeError, "dy is torch.float64"),
        ErrorCase("two_types", _changed(up=Tensor.half), UnknownDtypeError, "up is torch.float16"),
        ErrorCase("broadcast", _changed(dy=lambda gate: gate[:1]), ShapeError, "and dy [1, 896]"),
        ErrorCase(
            "expanded", _changed(dy=lambda gate: gate[:, :1].expand(3, 896)), LayoutError, "dy: elements"
        ),
        ErrorCase(
            "shared_buffer",
            _changed(dup=lambda gate: gate[:1].expand(3, 896)),
            LayoutError,
            "dup: elements",
        ),
    ),
    outputs=("dgate", "dup"),
    traffic=lambda arguments: 5 * itemsize(arguments["gate"]),
    operations=lambda arguments: 11 * arguments["gate"].numel(),
    programs=(
        Program(
            swiglu_backward_kernel,
            {
                **{f"{name}_ptr": "*element:16" for name in _NAMES},
                **{f"{name}_stride": "i32:16" for name in _NAMES},
                "columns": "i32:16",
            },
            SPACE,
            wide_loads=3,
        ),
    ),
    properties=(
        Property("linear_in_dy", {**_SIZES, "exponent": (-20, 20)}, _linear),
        Property("reflected", _SIZES, _reflected),
    ),
)
