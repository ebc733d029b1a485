"""What is claimed of the product with a matrix in the layout of a linear layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError
from pv_kernels.matmul import FLOAT32_SPACE, SPACE, matmul, matmul_kernel
from pv_kernels.rounding import gamma, unit_roundoff
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Results
from pv_kernels.specs.matmul_properties import properties
from pv_kernels.specs.samples import itemsize, normal, with_value

__all__ = ["MATMUL", "drawn", "tolerance"]

SHAPES = {
    "qwen2_5_0_5b": (1, 128, 896),
    "qwen2_5_0_5b_many": (20, 60, 896),
    "qwen2_5_1_5b": (2, 64, 1536),
    "qwen2_5_1_5b_down": (2, 32, 8960),
    "qwen2_5_7b": (1, 64, 3584),
    "qwen2_5_7b_down": (3, 20, 18944),
    "weird": (5, 33, 300),
    "odd": (5, 77, 123),
    "one_row": (1, 40, 64),
    "one_element": (1, 1, 1),
    "seventeen_rows": (17, 130, 65),
    "last_group_short": (577, 130, 24),
    "empty": (0, 40, 64),
    "no_outputs": (3, 0, 64),
    "no_columns": (3, 40, 0),
}
"""Rows, outputs and columns. Columns are the models'; rows are few, and outputs where they are wide."""


def reference(x: Tensor, weight: Tensor) -> Tensor:
    """Return ``x weight^T`` in float64."""
    return x.double() @ weight.double().T


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound ``|fl(y) - y|`` against the sum of magnitudes ``|x| |w|^T`` (Higham 3.1, 4.2).

    float32: a product is rounded once, and passes through fewer additions than there are columns, within its
    tile and from tile to tile. 16 bits: products are exact in float32, and a matrix unit truncates sums where
    float32 would round them, twice as much for every column (Fasi, Higham, Mikaitis and Pranesh 2021, PeerJ
    CS 7:e330). What underflows loses at most the smallest normal float32. Last, the type of the result.
    """
    x, weight = arguments["x"], arguments["weight"]
    columns = x.shape[-1]
    height = columns + 1 if x.dtype == torch.float32 else 2 * columns + 2
    magnitude = x.double().abs() @ weight.double().abs().T
    inside = gamma(height) * magnitude + columns * torch.finfo(torch.float32).smallest_normal
    if x.dtype == torch.float32:
        return (inside,)
    info = torch.finfo(x.dtype)
    rounded = (expected[0].abs() + inside) * unit_roundoff(x.dtype) + info.smallest_normal * info.eps / 2
    return (inside + rounded,)


def drawn(rows: int, outputs: int, columns: int, *between: int, scale: float = 1.0) -> Draw:
    """Draw rows and a matrix; `between` are dimensions put before that of the rows."""

    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        return {
            "x": normal(generator, dtype, *between, rows, columns, scale=scale),
            "weight": normal(generator, dtype, outputs, columns),
        }

    return draw


_SMALL = drawn(3, 5, 70)


def _altered(draw: Draw, **changes: Callable[[Arguments], Any]) -> Draw:
    """Return what draws as `draw` does, with arguments named changed or added."""

    def altered(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = draw(generator, dtype)
        return {**arguments, **{name: change(arguments) for name, change in changes.items()}}

    return altered


def _put(name: str, value: float, *place: int) -> Draw:
    return _altered(_SMALL, **{name: lambda a: with_value(a[name], place, value=value)})


def _refused(**changes: Callable[[Arguments], Any]) -> Callable[[], Arguments]:
    return lambda: _altered(_SMALL, **changes)(torch.Generator().manual_seed(0), torch.float32)


def _zero_beside_infinity(arguments: Arguments) -> Tensor:
    return with_value(arguments["weight"], (2, 7), value=0.0)


_NAN, _INFINITY = float("nan"), float("inf")
_TYPES = {
    **dict.fromkeys(("x_stride", "weight_stride", "out_stride", "outputs", "columns"), "i32:16"),
    "rows": "i32",
}
_POINTERS = ("x_ptr", "weight_ptr", "out_ptr")

MATMUL = KernelSpec(
    name="matmul",
    call=matmul,
    reference=reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=(
        *(Case(name, drawn(*shape)) for name, shape in SHAPES.items()),
        Case("three_dimensions", drawn(5, 9, 70, 2)),
        Case("small", drawn(5, 9, 70, scale=1e-3)),
        Case("part_of_a_matrix", _altered(drawn(20, 40, 90), weight=lambda a: a["weight"][3:30, :])),
        Case(
            "columns_of_a_matrix",
            _altered(
                drawn(20, 40, 90),
                x=lambda a: a["x"][:, 9:80],
                weight=lambda a: torch.nn.functional.pad(a["weight"], (0, 20))[:, 3:74],
            ),
        ),
    ),
    special=(
        Case("nan_in_x", _put("x", _NAN, 1, 7), "NaN in that row, and in no other"),
        Case("nan_in_weight", _put("weight", _NAN, 2, 69), "NaN in that column, and in no other"),
        Case(
            "infinity_in_x", _put("x", _INFINITY, 1, 7), "an infinity in that row, by the sign of the weight"
        ),
        Case(
            "infinity_times_zero",
            _altered(_put("x", -_INFINITY, 1, 7), weight=_zero_beside_infinity),
            "NaN where an infinity meets a zero",
        ),
        Case(
            "infinity_less_infinity",
            _altered(
                _put("x", _INFINITY, 1, 7), x=lambda a: with_value(a["x"], (1, 7), (1, 8), value=_INFINITY)
            ),
            "NaN where infinities of both signs meet",
        ),
    ),
    errors=(
        ErrorCase("float64", _refused(x=lambda a: a["x"].double()), UnknownDtypeError, "x is torch.float64"),
        ErrorCase("integers", _refused(x=lambda a: a["x"].int()), UnknownDtypeError, "x is torch.int32"),
        ErrorCase(
            "two_types", _refused(weight=lambda a: a["weight"].half()), UnknownDtypeError, "weight is torch.f"
        ),
        ErrorCase("a_column_less", _refused(x=lambda a: a["x"][:, 1:]), ShapeError, "[outputs, 69]"),
        ErrorCase("flat_weight", _refused(weight=lambda a: a["weight"][0]), ShapeError, "weight is [70]"),
        ErrorCase("batch_of_weights", _refused(weight=lambda a: a["weight"][None]), ShapeError, "[1, 5, 70]"),
        ErrorCase("scalar", _refused(x=lambda a: a["x"].sum()), ShapeError, "x has no dimension"),
        ErrorCase(
            "columns_apart", _refused(x=lambda a: a["x"].mT.contiguous().mT), LayoutError, "row lie 3 apart"
        ),
        ErrorCase(
            "transposed_weight",
            _refused(weight=lambda a: a["weight"].mT.contiguous().mT),
            LayoutError,
            "weight: elements of a row lie 5 apart",
        ),
        ErrorCase("wrong_buffer", _refused(out=lambda _: torch.zeros(3, 6)), ShapeError, "out is [3, 6]"),
        ErrorCase(
            "buffer_of_halves", _refused(out=lambda _: torch.zeros(3, 5).half()), UnknownDtypeError, "out"
        ),
        ErrorCase(
            "shared_buffer", _refused(out=lambda _: torch.zeros(1).expand(3, 5)), LayoutError, "out: elements"
        ),
        ErrorCase("over_x", _refused(out=lambda a: a["x"][:, :5]), LayoutError, "out shares memory with x"),
        ErrorCase(
            "over_weight",
            _refused(out=lambda a: a["weight"][:3, :5]),
            LayoutError,
            "out shares memory with weight",
        ),
    ),
    outputs=("out",),
    traffic=lambda a: (
        itemsize(a["x"])
        + itemsize(a["weight"])
        + a["x"].shape[:-1].numel() * len(a["weight"]) * a["x"].element_size()
    ),
    operations=lambda a: 2 * a["x"].numel() * len(a["weight"]),
    programs=(
        # float32 takes the one way, 16-bit elements the other: neither is compiled for what it never meets.
        Program(
            matmul_kernel,
            {**dict.fromkeys(_POINTERS, "*element:16"), **_TYPES},
            FLOAT32_SPACE,
            {"upcast": True},
            dtypes=(torch.float32,),
            wide_copies=2,
        ),
        Program(
            matmul_kernel,
            {**dict.fromkeys(_POINTERS, "*element:16"), **_TYPES},
            SPACE,
            {"upcast": False},
            dtypes=(torch.bfloat16, torch.float16),
            wide_copies=2,
            matrix_units=True,
            warpgroup_rows="row_tile",
        ),
    ),
    properties=properties(drawn, tolerance),
    in_place=False,
    batch_invariant=False,
)
