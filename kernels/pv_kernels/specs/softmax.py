"""What is claimed of softmax, over short rows and over long ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError
from pv_kernels.rounding import gamma, summation_height, underflow, unit_roundoff
from pv_kernels.softmax import (
    ONLINE_SPACE,
    WHOLE_SPACE,
    choose,
    online_softmax_kernel,
    softmax,
    softmax_kernel,
)
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Property, Results
from pv_kernels.specs.samples import itemsize, normal, used, with_value

__all__ = ["SOFTMAX"]

LONG = WHOLE_SPACE[-1].constants["block"] + 1
"""The shortest row that is done online."""
SHAPES = {
    "attention_scores": (14, 77),
    "thousands_of_keys": (4, 4096),
    "qwen2_5_vocabulary": (1, 151936),
    "three_dimensions": (2, 3, 512),
    "weird": (5, 123),
    "one_row": (1, 64),
    "one_column": (4, 1),
    "odd": (2, 1025),
    "just_online": (2, LONG),
    "empty": (0, 4096),
    "no_columns": (3, 0),
}


def reference(x: Tensor) -> Tensor:
    """``exp(x - max) / sum(exp(x - max))`` in float64."""
    x64 = x.double()
    if not x64.numel():
        return x64
    shares = torch.exp(x64 - x64.amax(-1, keepdim=True))
    return shares / shares.sum(-1, keepdim=True)


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound ``|fl(y) - y|`` by the roundings on the way to y.

    With ``d_i = m - x_i``: the difference is rounded, which shifts the power by ``d_i u`` relative; so do the
    constant and the product of ``ex2.approx(-d_i log2 e)``, which is itself within 2^-22 (PTX ISA), 4 u:
    ``3 d_i + 4``. The sum weighs that error of its terms by their shares p_j, and adds its height. The online
    sum has one rescaling by an exp, a product and an addition a block, 6, whose exponents add up to d_j, and
    one more where the lanes meet. Then a quotient within 2 ulp, 4 u, and the type of the result.
    """
    x = arguments["x"]
    if not x.numel():
        return (torch.zeros_like(x, dtype=torch.float64),)
    x64 = x.double()
    distance = (x64.amax(-1, keepdim=True) - x64).nan_to_num(0, 0, 0)
    distance = distance.clamp(max=110)  # exp(-110) is 0 in float32, whatever its error
    weighed = (expected[0] * distance).nan_to_num(0).sum(-1, keepdim=True)
    fits, tuning = choose(x.shape[-1])
    block = tuning.constants["block"]
    rescaled = 0 if fits else 6 * -(-x.shape[-1] // block) + 5
    height = summation_height(min(block, x.shape[-1]), lanes=32 * tuning.warps)
    inside = gamma((3 * distance + 4) + (3 * weighed + 4 + height + rescaled) + 4)
    relative = (1 + inside) * (1 + unit_roundoff(x.dtype)) - 1
    return (expected[0].abs() * relative + underflow(x.dtype),)


def _drawn(*shape: int, scale: float = 1.0, shift: float = 0.0) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        return {"x": normal(generator, dtype, *shape, scale=scale) + shift}

    return draw


def _masked(*shape: int, kept: int) -> Draw:
    """Leave the last `kept` columns of the rows; the others are minus infinity, as behind a mask."""

    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        x = normal(generator, dtype, *shape)
        x[..., : shape[-1] - kept] = float("-inf")
        return {"x": x}

    return draw


def _special(value: float, *shape: int, whole_row: bool = False) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        x = normal(generator, dtype, *shape)
        return {"x": with_value(x, (1,) if whole_row else (1, 77), value=value)}

    return draw


def _changed(change: Any, **more: Any) -> Any:
    return lambda: {"x": change(torch.zeros(3, 896)), **more}


def _sums_to_one(kernel: Any, *, rows: int, columns: int, spread: int, seed: int) -> float:
    """Compare the sum of a row's shares with 1, within what each may be off."""
    arguments = _drawn(rows, columns, scale=spread)(torch.Generator().manual_seed(seed), torch.float32)
    ours = kernel(**arguments)
    allowed = tolerance(arguments, (reference(**arguments),))[0].sum(-1)
    return used((ours.double().sum(-1),), (torch.ones(rows, dtype=torch.float64),), (allowed,))


def _ignores_a_shift(kernel: Any, *, rows: int, columns: int, shift: int, seed: int) -> float:
    """Add a whole number to whole numbers, which is exact: nothing changes, bitwise."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(-20, 20, (rows, columns), generator=generator).float()
    return 0.0 if torch.equal(kernel(x), kernel(x + shift)) else float("inf")


def _as_if_whole(kernel: Any, *, columns: int, first: int, seed: int) -> float:
    """Compare a row in one pass with the same online, behind columns of minus infinity."""
    generator = torch.Generator().manual_seed(seed)
    short = normal(generator, torch.float32, 1, columns)
    long = torch.cat([torch.full((1, LONG + first), float("-inf")), short], dim=1)
    whole, online = kernel(short), kernel(long)
    if online[:, : LONG + first].any():
        return float("inf")
    allowed = [tolerance({"x": x}, (reference(x),))[0][:, -columns:] for x in (short, long)]
    return used((online[:, -columns:],), (whole.double(),), (allowed[0] + allowed[1],))


_SIZES = {"rows": (1, 3), "columns": (1, 1100), "seed": (0, 2**31 - 1)}
_TYPES = {
    **dict.fromkeys(("x_ptr", "out_ptr"), "*element:16"),
    **dict.fromkeys(("x_stride", "out_stride", "columns"), "i32:16"),
}

SOFTMAX = KernelSpec(
    name="softmax",
    call=softmax,
    reference=reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=(
        *(Case(name, _drawn(*shape)) for name, shape in SHAPES.items()),
        Case("peaked", _drawn(3, 777, scale=40.0)),
        Case("far_from_zero", _drawn(3, 777, shift=10_000.0)),
        Case("far_from_zero_online", _drawn(2, LONG, shift=10_000.0)),
        Case("masked", _masked(3, 777, kept=5)),
        Case("masked_online", _masked(2, LONG, kept=5)),
    ),
    special=(
        Case("nan", _special(float("nan"), 3, 123), "a NaN makes its row NaN, and no other"),
        Case("nan_online", _special(float("nan"), 2, LONG), "a NaN makes its row NaN, and no other"),
        Case("infinity", _special(float("inf"), 3, 123), "an infinity makes its row NaN"),
        Case("infinity_online", _special(float("inf"), 2, LONG), "an infinity makes its row NaN"),
        Case("all_masked", _special(float("-inf"), 3, 123, whole_row=True), "NaN, and no other row"),
        Case("all_masked_online", _special(float("-inf"), 2, LONG, whole_row=True), "NaN, and no other row"),
    ),
    errors=(
        ErrorCase("float64", _changed(Tensor.double), UnknownDtypeError, "x is torch.float64"),
        ErrorCase("integers", _changed(Tensor.int), UnknownDtypeError, "x is torch.int32"),
        ErrorCase("scalar", _changed(Tensor.sum), ShapeError, "no dimension"),
        ErrorCase("columns_apart", _changed(lambda x: x.mT.contiguous().mT), LayoutError, "lie 3 apart"),
        ErrorCase(
            "rows_apart", _changed(lambda x: x.view(3, 2, 448).transpose(0, 1)), LayoutError, "equally"
        ),
        ErrorCase(
            "short_buffer", _changed(Tensor.clone, out=torch.zeros(2, 896)), ShapeError, "out is [2, 896]"
        ),
        ErrorCase(
            "shared_buffer",
            _changed(Tensor.clone, out=torch.zeros(1).expand(3, 896)),
            LayoutError,
            "out: elements",
        ),
    ),
    outputs=("out",),
    traffic=lambda arguments: 2 * itemsize(arguments["x"]),
    operations=lambda arguments: 5 * arguments["x"].numel(),
    programs=(
        Program(softmax_kernel, _TYPES, WHOLE_SPACE, wide_loads=1),
        Program(online_softmax_kernel, _TYPES, ONLINE_SPACE, wide_loads=2),
    ),
    properties=(
        Property("sums_to_one", {**_SIZES, "spread": (0, 50)}, _sums_to_one),
        Property("ignores_a_shift", {**_SIZES, "shift": (-1000, 1000)}, _ignores_a_shift),
        Property(
            "online_as_whole", {"columns": (1, 300), "first": (0, 9000), "seed": (0, 2**31 - 1)}, _as_if_whole
        ),
    ),
)
