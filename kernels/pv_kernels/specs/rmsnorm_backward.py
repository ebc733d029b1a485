"""What is claimed of the gradient of RMSNorm."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError, ValueRangeError
from pv_kernels.rmsnorm_backward import (
    SPACE,
    SUM_SPACE,
    choose,
    programs,
    rms_norm_backward,
    rms_norm_backward_kernel,
    sum_rows_kernel,
)
from pv_kernels.rounding import gamma, summation_height, underflow, unit_roundoff
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Property, Results
from pv_kernels.specs.samples import itemsize, normal, used, with_value

__all__ = ["RMS_NORM_BACKWARD"]

EPS = 1e-6
"""That of Qwen2.5."""
SHAPES = {
    "qwen2_5_0_5b": (3, 896),
    "qwen2_5_7b": (3, 3584),
    "longest": (1, 8192),
    "three_dimensions": (2, 3, 896),
    "several_programs": (11, 17),
    "weird": (5, 123),
    "one_row": (1, 64),
    "one_column": (4, 1),
    "odd": (2, 1025),
    "empty": (0, 896),
    "no_columns": (3, 0),
}


def _parts(dy: Tensor, x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``dy w``, ``x r`` and r, in float64."""
    x64 = x.double()
    scale = 1 / torch.sqrt((x64 * x64).mean(-1, keepdim=True) + eps)
    return dy.double() * weight.double(), x64 * scale, scale


def reference(dy: Tensor, x: Tensor, weight: Tensor, eps: float) -> Results:
    """``r (dy w - x r mean(dy w x r))`` and ``sum(dy x r)`` over the rows, in float64."""
    slope, unit, scale = _parts(dy, x, weight, eps)
    dx = (slope - unit * (slope * unit).mean(-1, keepdim=True)) * scale
    return dx, (dy.double() * unit).sum(tuple(range(x.ndim - 1)))


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound the absolute errors by the roundings on the way to dx and dw.

    r has ``(height + 3) / 2 + 3``, as in the forward kernel; n = x r one more, ``dy w`` one. Their product
    has one, the mean the height of its sum and a quotient, of magnitudes however much cancels. Then a
    product, a difference and the product with r, again with its error, and the result's type. A term of dw
    has the error of n and one; it is added to those of the program's rows, then to those of other programs,
    tile by tile, and the tile's rows are added up.
    """
    x, dtype = arguments["x"], arguments["x"].dtype
    columns, row_count = x.shape[-1], x.shape[:-1].numel()
    if not columns:
        return tuple(torch.zeros_like(result) for result in expected)
    slope, unit, scale = _parts(**arguments)
    height = summation_height(columns, lanes=32 * choose(columns).warps)
    root = (height + 3) / 2 + 3
    along = (slope * unit).mean(-1, keepdim=True)
    along_off = gamma(root + 1 + 1 + 1 + height + 1) * (slope * unit).abs().mean(-1, keepdim=True)
    late = gamma(2 * root + 1 + 1 + 1 + 1)
    dx_off = scale * (
        gamma(root + 1 + 1 + 1) * slope.abs()
        + late * (unit * along).abs()
        + (1 + late) * unit.abs() * along_off
    )
    parts = programs(row_count)
    tile = SUM_SPACE[0].constants["tile"]
    additions = -(-row_count // max(parts, 1)) + -(-parts // tile) + summation_height(tile)
    terms = (arguments["dy"].double() * unit).abs().sum(tuple(range(x.ndim - 1)))
    dweight_off = gamma(root + 1 + 1 + additions) * terms
    last = unit_roundoff(dtype)
    return tuple(
        off + last * (result.abs() + off) + underflow(dtype)
        for off, result in zip((dx_off, dweight_off), expected, strict=True)
    )


def _drawn(*shape: int, scale: float = 1.0) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        return {
            "dy": normal(generator, dtype, *shape),
            "x": normal(generator, dtype, *shape, scale=scale),
            "weight": normal(generator, dtype, shape[-1]),
            "eps": EPS,
        }

    return draw


def _special(name: str, value: float) -> Draw:
    def changed(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = _drawn(3, 123)(generator, dtype)
        return {**arguments, name: with_value(arguments[name], (1, 77), value=value)}

    return changed


def _changed(**changes: Any) -> Any:
    def arguments() -> Arguments:
        drawn = _drawn(3, 896)(torch.Generator().manual_seed(0), torch.float32)
        return {**drawn, **{name: change(drawn.get(name)) for name, change in changes.items()}}

    return arguments


def _orthogonal(kernel: Any, *, rows: int, columns: int, seed: int) -> float:
    """Check that dx is orthogonal to x: scaling a row changes nothing, but for eps.

    ``<dx, x> = r <dy w, x> (1 - r^2 mean(x^2))``, and the last factor is ``r^2 eps``.
    """
    arguments = _drawn(rows, columns)(torch.Generator().manual_seed(seed), torch.float32)
    x64 = arguments["x"].double()
    slope, unit, scale = _parts(**arguments)
    left = (slope * unit).sum(-1) * (scale * scale * EPS)[..., 0]
    bound = (tolerance(arguments, reference(**arguments))[0] * x64.abs()).sum(-1)
    return used(((kernel(**arguments)[0].double() * x64).sum(-1),), (left,), (bound,))


def _euler(kernel: Any, *, rows: int, columns: int, seed: int) -> float:
    """Check ``<dw, w> = <dy, y>``: y is linear in w."""
    arguments = _drawn(rows, columns)(torch.Generator().manual_seed(seed), torch.float32)
    slope, unit, _ = _parts(**arguments)
    weight = arguments["weight"].double()
    bound = (tolerance(arguments, reference(**arguments))[1] * weight.abs()).sum()
    return used(((kernel(**arguments)[1].double() * weight).sum(),), ((slope * unit).sum(),), (bound,))


def _linear(kernel: Any, *, rows: int, columns: int, exponent: int, seed: int) -> float:
    """Scale dy by a power of two: both gradients scale by it, bitwise."""
    arguments = _drawn(rows, columns)(torch.Generator().manual_seed(seed), torch.float32)
    scaled = kernel(**{**arguments, "dy": arguments["dy"] * 2.0**exponent})
    alike = all(
        torch.equal(plain * 2.0**exponent, other)
        for plain, other in zip(kernel(**arguments), scaled, strict=True)
    )
    return 0.0 if alike else float("inf")


_SIZES = {"rows": (1, 3), "columns": (1, 1100), "seed": (0, 2**31 - 1)}

RMS_NORM_BACKWARD = KernelSpec(
    name="rms_norm_backward",
    call=rms_norm_backward,
    reference=reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=(
        *(Case(name, _drawn(*shape)) for name, shape in SHAPES.items()),
        Case("small", _drawn(3, 896, scale=1e-3)),
        Case("large", _drawn(3, 896, scale=1e3)),
    ),
    special=(
        Case("nan", _special("x", float("nan")), "a NaN in x makes its row of dx NaN, and all of dw"),
        Case("infinity", _special("x", float("inf")), "an infinity in x makes its row and column NaN"),
        Case("nan_gradient", _special("dy", float("nan")), "a NaN in dy makes its row and column NaN"),
        Case(
            "infinite_gradient",
            _special("dy", float("inf")),
            "an infinity in dy makes dx NaN there, the rest of its row and its column infinite",
        ),
    ),
    errors=(
        ErrorCase("float64", _changed(dy=Tensor.double), UnknownDtypeError, "dy is torch.float64"),
        ErrorCase("two_types", _changed(weight=Tensor.half), UnknownDtypeError, "weight is torch.float16"),
        ErrorCase("fewer_rows", _changed(dy=lambda dy: dy[1:]), ShapeError, "and dy [2, 896]"),
        ErrorCase("short_weight", _changed(weight=lambda w: w[1:]), ShapeError, "weight is [895]"),
        ErrorCase("columns_apart", _changed(x=lambda x: x.mT.contiguous().mT), LayoutError, "lie 3 apart"),
        ErrorCase("expanded", _changed(dy=lambda dy: dy[:, :1].expand(3, 896)), LayoutError, "dy: elements"),
        ErrorCase(
            "sums_apart",
            _changed(dweight=lambda _: torch.zeros(1792)[::2]),
            LayoutError,
            "dweight: its elements lie 2 apart",
        ),
        ErrorCase(
            "too_long",
            lambda: _drawn(1, 8193)(torch.Generator().manual_seed(0), torch.float32),
            ShapeError,
            "rows of 8193 columns",
        ),
        ErrorCase("eps_zero", _changed(eps=lambda _: 0.0), ValueRangeError, "eps is 0.0"),
        ErrorCase(
            "shared_buffer",
            _changed(dx=lambda _: torch.zeros(1).expand(3, 896)),
            LayoutError,
            "dx: elements share memory",
        ),
    ),
    outputs=("dx", "dweight"),
    traffic=lambda arguments: 3 * itemsize(arguments["x"]) + 2 * itemsize(arguments["weight"]),
    # Two sums of products, and seven operations more; the sums of dw are begun with one each.
    operations=lambda arguments: 12 * arguments["x"].numel() + arguments["weight"].numel(),
    programs=(
        Program(
            rms_norm_backward_kernel,
            {
                **dict.fromkeys(("dy_ptr", "x_ptr", "weight_ptr", "dx_ptr"), "*element:16"),
                "sums_ptr": "*fp32:16",
                **dict.fromkeys(("dy_stride", "x_stride", "dx_stride", "columns"), "i32:16"),
                "row_count": "i32",
                "eps": "fp32",
            },
            SPACE,
            wide_loads=3,
        ),
        Program(
            sum_rows_kernel,
            {"sums_ptr": "*fp32:16", "out_ptr": "*element:16", "parts": "i32", "columns": "i32:16"},
            SUM_SPACE,
            wide_loads=1,
        ),
    ),
    properties=(
        Property("orthogonal_to_x", _SIZES, _orthogonal),
        Property("linear_in_the_weight", _SIZES, _euler),
        Property("linear_in_dy", {**_SIZES, "exponent": (-20, 20)}, _linear),
    ),
    totals=("dweight",),
    launches=2,
)
