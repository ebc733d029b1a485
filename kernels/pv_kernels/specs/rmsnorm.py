"""What is claimed of RMSNorm, alone and after the addition of a residual."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError, ValueRangeError
from pv_kernels.rmsnorm import (
    LONG_SPACE,
    WHOLE_SPACE,
    add_rms_norm,
    add_rms_norm_kernel,
    choose,
    rms_norm,
    rms_norm_kernel,
)
from pv_kernels.rounding import gamma, summation_height, underflow, unit_roundoff
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Property, Results
from pv_kernels.specs.samples import itemsize, normal, used, with_value

__all__ = ["ADD_RMS_NORM", "RMS_NORM"]

EPS = 1e-6
"""That of Qwen2.5."""
SHAPES = {
    "qwen2_5_0_5b": (3, 896),
    "qwen2_5_1_5b": (3, 1536),
    "qwen2_5_7b": (3, 3584),
    "three_dimensions": (2, 3, 896),
    "weird": (5, 123),
    "one_row": (1, 64),
    "one_column": (4, 1),
    "odd": (2, 1025),
    "longer_than_a_block": (2, 9001),
    "empty": (0, 896),
    "no_columns": (3, 0),
}


def reference(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """``x / sqrt(mean(x^2) + eps) * w`` in float64."""
    x64 = x.double()
    return x64 / torch.sqrt((x64 * x64).mean(-1, keepdim=True) + eps) * weight.double()


def add_reference(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Results:
    """Add in float32, round to the elements' type, and normalise what that is."""
    total = (x.float() + residual.float()).to(x.dtype)
    return reference(total, weight, eps), total.double()


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound ``|fl(y) - y|`` by the roundings on the way to y.

    The mean of n squares has one rounding of each square, at most `summation_height` of the sum, one of the
    division and one of adding eps, all of positive terms, so ``gamma(height + 3)`` relative. The root halves
    it; ``rsqrt.approx.f32`` is within 2^-22.9 (PTX ISA), 2.2 u, so 3. Two products, then the result's type.
    """
    x = arguments["x"]
    whole, tuning = choose(x.shape[-1])
    blocks = 0 if whole else -(-x.shape[-1] // tuning.constants["block"])
    height = summation_height(x.shape[-1], lanes=32 * tuning.warps) + blocks
    inside = gamma((height + 3) / 2 + 3 + 2)
    relative = (1 + inside) * (1 + unit_roundoff(x.dtype)) - 1
    normalised = expected[0].abs() * relative + underflow(x.dtype)
    # The sum of the fused kernel is one addition in float32, rounded once: nothing else is right.
    return (normalised, *(torch.zeros_like(total) for total in expected[1:]))


def _alone(*shape: int, scale: float = 1.0) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        x = normal(generator, dtype, *shape, scale=scale)
        return {"x": x, "weight": normal(generator, dtype, shape[-1]), "eps": EPS}

    return draw


def _added(*shape: int, scale: float = 1.0) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = _alone(*shape, scale=scale)(generator, dtype)
        return {**arguments, "residual": normal(generator, dtype, *shape, scale=scale)}

    return draw


def _special(draw: Draw, value: float) -> Draw:
    def changed(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = draw(generator, dtype)
        return {**arguments, "x": with_value(arguments["x"], (1, 77), value=value)}

    return changed


def _specials(draw: Draw) -> tuple[Case, ...]:
    return (
        Case("nan", _special(draw, float("nan")), "a NaN makes its row NaN, and no other"),
        Case("infinity", _special(draw, float("inf")), "an infinity becomes NaN, the rest of its row 0"),
        Case("minus_infinity", _special(draw, float("-inf")), "as an infinity"),
    )


def _errors(draw: Draw) -> tuple[ErrorCase, ...]:
    def changed(**changes: Any) -> Any:
        def arguments() -> Arguments:
            drawn = draw(torch.Generator().manual_seed(0), torch.float32)
            return {k: changes[k](v) if k in changes else v for k, v in drawn.items()}

        return arguments

    def buffer() -> Arguments:
        drawn = draw(torch.Generator().manual_seed(0), torch.float32)
        return {**drawn, "out": torch.zeros(1).expand(drawn["x"].shape)}

    return (
        ErrorCase("float64", changed(x=Tensor.double), UnknownDtypeError, "x is torch.float64"),
        ErrorCase("integers", changed(x=Tensor.int), UnknownDtypeError, "x is torch.int32"),
        ErrorCase("two_types", changed(weight=Tensor.half), UnknownDtypeError, "weight is torch.float16"),
        ErrorCase("scalar", changed(x=Tensor.sum), ShapeError, "[896]"),
        ErrorCase("short_weight", changed(weight=lambda w: w[1:]), ShapeError, "weight is [895]"),
        ErrorCase("columns_apart", changed(x=lambda x: x.mT.contiguous().mT), LayoutError, "lie 3 apart"),
        ErrorCase(
            "weight_apart",
            changed(weight=lambda w: w.repeat_interleave(2)[::2]),
            LayoutError,
            "elements lie 2 apart",
        ),
        ErrorCase("eps_zero", changed(eps=lambda _: 0.0), ValueRangeError, "eps is 0.0"),
        ErrorCase("eps_nan", changed(eps=lambda _: float("nan")), ValueRangeError, "eps is nan"),
        ErrorCase("shared_buffer", buffer, LayoutError, "out: elements share memory"),
    )


def _traffic(arguments: Arguments) -> int:
    """Every input once, every output once: as many outputs of the size of x as there are inputs."""
    large = [tensor for name, tensor in arguments.items() if name in {"x", "residual"}]
    return itemsize(arguments["weight"]) + 2 * sum(map(itemsize, large))


def _scaled(kernel: Any, *, rows: int, columns: int, exponent: int, seed: int) -> float:
    """Scale x by a power of two and eps by its square: the result is bitwise the same."""
    arguments = _alone(rows, columns)(torch.Generator().manual_seed(seed), torch.float32)
    plain = kernel(**arguments)
    scale = 2.0**exponent
    scaled = kernel(**{**arguments, "x": arguments["x"] * scale, "eps": EPS * scale * scale})
    return 0.0 if torch.equal(plain, scaled) else float("inf")


def _nearly_scaled(kernel: Any, *, rows: int, columns: int, thousandths: int, seed: int) -> float:
    """Scale x by s and keep eps: the results differ by ``eps / (2 mean(x^2)) max(1, s^-2)`` relative."""
    arguments = _alone(rows, columns)(torch.Generator().manual_seed(seed), torch.float32)
    scale = thousandths / 1000
    scaled = {**arguments, "x": arguments["x"] * scale}
    plain, other = kernel(**arguments).double(), kernel(**scaled).double()
    square = arguments["x"].double().square().mean(-1, keepdim=True)
    drift = plain.abs() * EPS / (2 * square) * max(1.0, scale**-2)
    allowed = drift + tolerance(arguments, (plain,))[0] + tolerance(scaled, (other,))[0]
    # Scaling rounds every x once, and the mean square by as much.
    return used((other,), (plain,), (allowed + 2 * unit_roundoff(torch.float32) * plain.abs(),))


def _sum_is_that(kernel: Any, *, rows: int, columns: int, seed: int) -> float:
    """Compare the fused kernel with adding first and the plain kernel."""
    arguments = _added(rows, columns)(torch.Generator().manual_seed(seed), torch.bfloat16)
    normalised, total = kernel(**arguments)
    alone = rms_norm(total, arguments["weight"], EPS).double()
    return used((normalised,), (alone,), (2 * tolerance(arguments, (alone,))[0],))


_SIZES = {"rows": (1, 3), "columns": (1, 1100), "seed": (0, 2**31 - 1)}
_TYPES = {"weight_ptr": "*element:16", "x_ptr": "*element:16", "out_ptr": "*element:16"}
_LENGTHS = {"x_stride": "i32:16", "out_stride": "i32:16", "columns": "i32:16", "eps": "fp32"}
_MORE = {"residual_ptr": "*element:16", "sum_ptr": "*element:16"}
_MORE_LENGTHS = {"residual_stride": "i32:16", "sum_stride": "i32:16"}

RMS_NORM = KernelSpec(
    name="rms_norm",
    call=rms_norm,
    reference=reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=(
        *(Case(name, _alone(*shape)) for name, shape in SHAPES.items()),
        Case("small", _alone(3, 896, scale=1e-3)),
        Case("large", _alone(3, 896, scale=1e3)),
    ),
    special=_specials(_alone(3, 123)),
    errors=_errors(_alone(3, 896)),
    outputs=("out",),
    traffic=_traffic,
    operations=lambda arguments: 4 * arguments["x"].numel(),
    programs=tuple(
        Program(rms_norm_kernel, {**_TYPES, **_LENGTHS}, space, {"whole": whole}, wide_loads=2)
        for whole, space in ((True, WHOLE_SPACE), (False, LONG_SPACE))
    ),
    properties=(
        Property("scaled_by_a_power_of_two", {**_SIZES, "exponent": (-20, 20)}, _scaled),
        Property("scale_invariant_up_to_eps", {**_SIZES, "thousandths": (10, 100_000)}, _nearly_scaled),
    ),
)

ADD_RMS_NORM = KernelSpec(
    name="add_rms_norm",
    call=add_rms_norm,
    reference=add_reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=tuple(Case(name, _added(*shape)) for name, shape in SHAPES.items()),
    special=_specials(_added(3, 123)),
    errors=(
        *_errors(_added(3, 896)),
        ErrorCase(
            "short_residual",
            lambda: {
                **_added(3, 896)(torch.Generator().manual_seed(0), torch.float32),
                "residual": torch.zeros(2, 896),
            },
            ShapeError,
            "residual is [2, 896]",
        ),
    ),
    outputs=("out", "sum_out"),
    traffic=_traffic,
    operations=lambda arguments: 5 * arguments["x"].numel(),
    programs=tuple(
        Program(
            add_rms_norm_kernel,
            {**_TYPES, **_MORE, **_LENGTHS, **_MORE_LENGTHS},
            space,
            {"whole": whole},
            wide_loads=3,
        )
        for whole, space in ((True, WHOLE_SPACE), (False, LONG_SPACE))
    ),
    properties=(Property("as_adding_first", _SIZES, _sum_is_that),),
)
