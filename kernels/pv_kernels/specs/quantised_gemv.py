"""What is claimed of every product with a quantised matrix; each format's own file names its kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError
from pv_kernels.quantised_gemv import BlockFormat
from pv_kernels.rounding import gamma, unit_roundoff
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Results
from pv_kernels.specs.block_formats import HALVES, decode
from pv_kernels.specs.quantised_properties import properties
from pv_kernels.specs.samples import itemsize, normal, with_value

__all__ = ["SIGNATURE", "drawn", "gemv_spec", "random_matrix"]

SIGNATURE = {
    "weight_ptr": "*u8:16",
    **dict.fromkeys(("x_ptr", "out_ptr"), "*element:16"),
    "weight_stride": "i32",
    **dict.fromkeys(("x_stride", "out_stride", "rows"), "i32:16"),
    **dict.fromkeys(("tokens", "blocks"), "i32"),
}
"""Of every such kernel: the bytes begin at a multiple of 16, as tensors of GGUF files do (of 32)."""

SHAPES = {
    "qwen2_5_0_5b_down": (1, 6, 4864),
    "qwen2_5_1_5b": (2, 6, 1536),
    "qwen2_5_7b": (1, 9, 3584),
    "qwen2_5_7b_down": (1, 3, 18944),
    "weird": (5, 7, 1280),
    "one_row": (1, 1, 256),
    "sixteen_tokens": (16, 3, 512),
    "odd": (3, 5, 768),
    "empty": (0, 5, 256),
    "no_rows": (2, 0, 256),
}
"""Tokens, rows and columns. Columns are the models'; rows are few, since all are alike."""


def random_matrix(generator: torch.Generator, form: BlockFormat, rows: int, columns: int) -> Tensor:
    """Draw bytes ``[rows, bytes]``: every code and scale, and d and dmin of either sign."""
    blocks = torch.randint(
        0, 256, (rows, columns // form.weights, form.bytes), generator=generator, dtype=torch.uint8
    )
    for at in HALVES[form.name]:
        factors = torch.randn(blocks.shape[:2], generator=generator) * 0.01
        blocks[..., at : at + 2] = factors.half()[..., None].view(torch.uint8)
    return blocks.reshape(rows, columns // form.weights * form.bytes)


def drawn(form: BlockFormat, shape: tuple[int, int, int], *between: int, scale: float = 1.0) -> Draw:
    """Draw a matrix and tokens; `between` are dimensions put before that of the tokens."""
    tokens, rows, columns = shape

    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        weight = random_matrix(generator, form, rows, columns)
        return {"weight": weight, "x": normal(generator, dtype, *between, tokens, columns, scale=scale)}

    return draw


def reference_of(form: BlockFormat) -> Callable[..., Tensor]:
    """Return the formula for `form`: decoded as the layout is written, multiplied in float64."""

    def reference(weight: Tensor, x: Tensor) -> Tensor:
        return x.double() @ decode(form.name, weight).double().T

    return reference


def tolerance_of(form: BlockFormat, tile: int, lanes: int) -> Callable[[Arguments, Results], Results]:
    """Return the bound of ``|fl(y) - y|`` for tiles of `tile` columns that keep `lanes` sums a row.

    Weights are the reference's bit for bit. A product is rounded once; then there is one addition for each
    of the ``tile / lanes`` columns that meet in a sum, in each tile, and the sums are added, in whatever
    order, in fewer than `lanes`. Against the sum of magnitudes that is ``gamma`` of so many (Higham 4.2);
    then the rounding to the result's type. What underflows loses at most the smallest normal float32.
    """

    def tolerance(arguments: Arguments, expected: Results) -> Results:
        weight, x = arguments["weight"], arguments["x"]
        columns = x.shape[-1]
        additions = -(-columns // tile) * (tile // lanes) + min(lanes, columns) - 1
        magnitude = x.double().abs() @ decode(form.name, weight).double().abs().T
        inside = gamma(additions + 1) * magnitude + columns * torch.finfo(torch.float32).smallest_normal
        info = torch.finfo(x.dtype)
        rounded = (expected[0].abs() + inside) * unit_roundoff(x.dtype) + info.smallest_normal * info.eps / 2
        return (inside + rounded,)

    return tolerance


def gemv_spec(
    name: str, form: BlockFormat, call: Callable[..., Any], program: Program, tile: int, lanes: int
) -> KernelSpec:
    """Return the specification of `call`; `tile` and `lanes` as in `tolerance_of`."""
    reference, tolerance = reference_of(form), tolerance_of(form, tile, lanes)
    return KernelSpec(
        name=name,
        call=call,
        reference=reference,
        tolerance=tolerance,
        dtypes=FLOATS,
        cases=(
            *(Case(case, drawn(form, shape)) for case, shape in SHAPES.items()),
            Case("three_dimensions", drawn(form, (2, 5, 512), 3)),
            Case("small", drawn(form, (2, 5, 512), scale=1e-3)),
            *([Case("qwen2_5_0_5b", drawn(form, (1, 6, 896)))] if form.weights == 32 else []),
        ),
        special=(
            Case("nan", _special(form, float("nan")), "a NaN makes all outputs of its token NaN, no other's"),
            Case("infinity", _special(form, float("inf")), "an infinity, or NaN where its weight is zero"),
            Case("nan_scale", _special_scale(form, float("nan")), "a NaN makes its row NaN, and no other"),
            Case("infinite_scale", _special_scale(form, float("inf")), "NaN: some code or scale is zero"),
        ),
        errors=_errors(form),
        outputs=("out",),
        traffic=lambda a: (
            a["weight"].numel()
            + itemsize(a["x"])
            + a["x"].shape[:-1].numel() * len(a["weight"]) * a["x"].element_size()
        ),
        operations=lambda a: 2 * a["x"].numel() * len(a["weight"]),
        programs=(program,),
        properties=properties(form, lambda *shape: drawn(form, shape), tolerance),
        in_place=False,
    )


def _special(form: BlockFormat, value: float) -> Draw:
    def changed(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = drawn(form, (3, 5, 512))(generator, dtype)
        return {**arguments, "x": with_value(arguments["x"], (1, 77), value=value)}

    return changed


def _special_scale(form: BlockFormat, value: float) -> Draw:
    def changed(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = drawn(form, (3, 5, 512))(generator, dtype)
        blocks = arguments["weight"].view(5, -1, form.bytes)
        at = HALVES[form.name][0]
        blocks[2, 0, at : at + 2] = torch.from_numpy(np.array([value], "<f2").view(np.uint8))
        return arguments

    return changed


def _errors(form: BlockFormat) -> tuple[ErrorCase, ...]:
    def changed(**changes: Any) -> Any:
        def arguments() -> Arguments:
            plain = drawn(form, (3, 5, 512))(torch.Generator().manual_seed(0), torch.float32)
            return {**plain, **{name: change(plain) for name, change in changes.items()}}

        return arguments

    row = 512 // form.weights * form.bytes
    return (
        ErrorCase("float64", changed(x=lambda a: a["x"].double()), UnknownDtypeError, "x is torch.float64"),
        ErrorCase("integers", changed(x=lambda a: a["x"].int()), UnknownDtypeError, "x is torch.int32"),
        ErrorCase(
            "signed_bytes",
            changed(weight=lambda a: a["weight"].view(torch.int8)),
            UnknownDtypeError,
            "weight is torch.int8",
        ),
        ErrorCase("decoded", changed(weight=lambda a: a["weight"].float()), UnknownDtypeError, "weight is"),
        ErrorCase("a_byte_less", changed(weight=lambda a: a["weight"][:, 1:]), ShapeError, f"[5, {row - 1}]"),
        ErrorCase(
            "a_block_less", changed(x=lambda a: a["x"][:, : 512 - form.weights]), ShapeError, "weight is"
        ),
        ErrorCase("part_of_a_block", changed(x=lambda a: a["x"][:, :-1]), ShapeError, "x has 511 columns"),
        ErrorCase("flat_weight", changed(weight=lambda a: a["weight"].flatten()), ShapeError, "weight is ["),
        ErrorCase("scalar", changed(x=lambda a: a["x"].sum()), ShapeError, "x has no dimension"),
        ErrorCase(
            "columns_apart", changed(x=lambda a: a["x"].mT.contiguous().mT), LayoutError, "lie 3 apart"
        ),
        ErrorCase(
            "bytes_apart",
            changed(weight=lambda a: a["weight"].mT.contiguous().mT),
            LayoutError,
            "bytes of a row lie 5 apart",
        ),
        ErrorCase(
            "odd_address", changed(weight=_at_odd_address), LayoutError, "weight begins at 1 modulo 16"
        ),
        ErrorCase("wrong_buffer", changed(out=lambda _: torch.zeros(3, 6)), ShapeError, "out is [3, 6]"),
        ErrorCase(
            "shared_buffer", changed(out=lambda _: torch.zeros(1).expand(3, 5)), LayoutError, "out: elements"
        ),
        ErrorCase("over_x", changed(out=lambda a: a["x"][:, :5]), LayoutError, "out shares memory with x"),
    )


def _at_odd_address(arguments: Arguments) -> Tensor:
    weight: Tensor = arguments["weight"]
    place = torch.empty(weight.numel() + 32, dtype=torch.uint8)
    begin = 1 - place.data_ptr() % 16 + 16
    return place[begin : begin + weight.numel()].view(weight.shape).copy_(weight)
