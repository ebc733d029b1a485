"""What is claimed of SwiGLU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError
from pv_kernels.rounding import gamma, underflow, unit_roundoff
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Property, Results
from pv_kernels.specs.samples import itemsize, normal, used, with_value
from pv_kernels.swiglu import SPACE, swiglu, swiglu_kernel

__all__ = ["SWIGLU"]

SHAPES = {
    "qwen2_5_0_5b": (2, 4864),
    "qwen2_5_1_5b": (1, 8960),
    "qwen2_5_7b": (1, 18944),
    "many_rows": (17, 4864),
    "three_dimensions": (2, 3, 512),
    "weird": (5, 123),
    "one_row": (1, 64),
    "one_column": (4, 1),
    "odd": (2, 1025),
    "empty": (0, 4864),
    "no_columns": (3, 0),
}


def reference(gate: Tensor, up: Tensor) -> Tensor:
    """``g * sigmoid(g) * u`` in float64."""
    gate64 = gate.double()
    return gate64 * torch.sigmoid(gate64) * up.double()


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound ``|fl(y) - y|`` by the roundings on the way to y.

    exp(-g) is ``ex2.approx(-g log2 e)``: the constant and the product are rounded, each of which shifts the
    exponent by ``|g| u`` and the power by as much relative; ex2.approx is within 2^-22 (PTX ISA), 4 u. Then
    an addition, a quotient within 2 ulp (``div.full.f32``), 4 u, and two products; then the result's type.
    Below, where exp(-g) leaves float32, y is smaller than its smallest normal number times up.
    """
    gate, up = arguments["gate"].double(), arguments["up"].double()
    inside = gamma(2 * gate.abs().nan_to_num(0, 0, 0).clamp(max=90) + 4 + 1 + 4 + 2)
    relative = (1 + inside) * (1 + unit_roundoff(arguments["gate"].dtype)) - 1
    tiny = torch.finfo(torch.float32).smallest_normal
    lost = torch.where(gate < -80, tiny * gate.abs() * up.abs(), 0.0)
    return (expected[0].abs() * relative + lost + underflow(arguments["gate"].dtype),)


def _drawn(*shape: int, scale: float = 1.0) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        gate = normal(generator, dtype, *shape, scale=scale)
        return {"gate": gate, "up": normal(generator, dtype, *shape)}

    return draw


def _saturated(_: torch.Generator, dtype: torch.dtype) -> Arguments:
    gate = torch.linspace(-120, 120, 241).to(dtype)[None]
    return {"gate": gate, "up": torch.ones_like(gate)}


def _special(name: str, value: float) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = _drawn(3, 123)(generator, dtype)
        return {**arguments, name: with_value(arguments[name], (1, 77), value=value)}

    return draw


def _zero_up(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
    arguments = _special("gate", float("inf"))(generator, dtype)
    return {**arguments, "up": with_value(arguments["up"], (1, 77), value=0.0)}


def _changed(**changes: Any) -> Any:
    def arguments() -> Arguments:
        drawn = _drawn(3, 896)(torch.Generator().manual_seed(0), torch.float32)
        return {**drawn, **{name: change(drawn["gate"]) for name, change in changes.items()}}

    return arguments


def _linear(kernel: Any, *, rows: int, columns: int, exponent: int, seed: int) -> float:
    """Scale u by a power of two: y scales by it, bitwise, since the formula is linear in u."""
    arguments = _drawn(rows, columns, scale=3.0)(torch.Generator().manual_seed(seed), torch.float32)
    scaled = kernel(**{**arguments, "up": arguments["up"] * 2.0**exponent})
    return 0.0 if torch.equal(kernel(**arguments) * 2.0**exponent, scaled) else float("inf")


def _reflected(kernel: Any, *, rows: int, columns: int, seed: int) -> float:
    """Check ``silu(g) - silu(-g) = g``."""
    arguments = _drawn(rows, columns, scale=3.0)(torch.Generator().manual_seed(seed), torch.float32)
    ones = torch.ones_like(arguments["gate"])
    forth, back = {"gate": arguments["gate"], "up": ones}, {"gate": -arguments["gate"], "up": ones}
    sides = kernel(**forth).double(), kernel(**back).double()
    allowed = sum(tolerance(side, (reference(**side),))[0] for side in (forth, back))
    return used((sides[0] - sides[1],), (arguments["gate"].double(),), (torch.as_tensor(allowed),))


_SIZES = {"rows": (1, 3), "columns": (1, 600), "seed": (0, 2**31 - 1)}

SWIGLU = KernelSpec(
    name="swiglu",
    call=swiglu,
    reference=reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=(*(Case(name, _drawn(*shape)) for name, shape in SHAPES.items()), Case("saturated", _saturated)),
    special=(
        Case("nan_gate", _special("gate", float("nan")), "a NaN makes that element NaN, and no other"),
        Case("nan_up", _special("up", float("nan")), "a NaN makes that element NaN, and no other"),
        Case("infinite_gate", _special("gate", float("inf")), "an infinity with the sign of u"),
        Case("infinite_gate_by_zero", _zero_up, "NaN"),
        Case("minus_infinite_gate", _special("gate", float("-inf")), "NaN, as the formula says"),
        Case("infinite_up", _special("up", float("inf")), "an infinity with the sign of g"),
    ),
    errors=(
        ErrorCase("float64", _changed(gate=Tensor.double), UnknownDtypeError, "gate is torch.float64"),
        ErrorCase("two_types", _changed(up=Tensor.half), UnknownDtypeError, "up is torch.float16"),
        ErrorCase("broadcast", _changed(up=lambda gate: gate[:1]), ShapeError, "up is [1, 896]"),
        ErrorCase("scalars", _changed(gate=Tensor.sum, up=Tensor.sum), ShapeError, "no dimension"),
        ErrorCase(
            "columns_apart", _changed(up=lambda gate: gate.mT.contiguous().mT), LayoutError, "lie 3 apart"
        ),
        ErrorCase(
            "shared_buffer", _changed(out=lambda gate: gate[:1].expand(3, 896)), LayoutError, "out: elements"
        ),
    ),
    outputs=("out",),
    traffic=lambda arguments: 3 * itemsize(arguments["gate"]),
    operations=lambda arguments: 5 * arguments["gate"].numel(),
    programs=(
        Program(
            swiglu_kernel,
            {
                **dict.fromkeys(("gate_ptr", "up_ptr", "out_ptr"), "*element:16"),
                **dict.fromkeys(("gate_stride", "up_stride", "out_stride", "columns"), "i32:16"),
            },
            SPACE,
            wide_loads=2,
        ),
    ),
    properties=(
        Property("linear_in_up", {**_SIZES, "exponent": (-20, 20)}, _linear),
        Property("reflected", _SIZES, _reflected),
    ),
)
