"""What is claimed of cross-entropy, alone and with the gradient of the logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv_kernels.cross_entropy import (
    IGNORE_INDEX,
    SPACE,
    choose,
    cross_entropy,
    cross_entropy_kernel,
    cross_entropy_with_gradient,
    cross_entropy_with_gradient_kernel,
)
from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError, ValueRangeError
from pv_kernels.rounding import gamma, summation_height, underflow, unit_roundoff
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Results
from pv_kernels.specs.cross_entropy_properties import gradient_properties, loss_properties
from pv_kernels.specs.samples import itemsize, normal, with_value

__all__ = ["CROSS_ENTROPY", "CROSS_ENTROPY_WITH_GRADIENT"]

LONG = SPACE[-1].constants["block"] + 1
"""The shortest row of two blocks."""
SHAPES = {
    "qwen2_5_7b": (1, 152064),
    "three_dimensions": (2, 3, 512),
    "weird": (5, 123),
    "one_row": (1, 64),
    "one_column": (4, 1),
    "odd": (2, 2049),
    "two_blocks": (2, LONG),
    "empty": (0, 4096),
}
_FLOAT32 = torch.finfo(torch.float32)


def reference(logits: Tensor, targets: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """``log(sum(exp(x - max))) - (x_t - max)`` in float64; 0 where ignored, NaN where t is no column."""
    columns = logits.shape[-1]
    if not columns:
        loss = torch.full(targets.shape, float("nan"), dtype=torch.float64)
        return loss.masked_fill(targets == ignore_index, 0.0)
    x64 = logits.double()
    most = x64.amax(-1, keepdim=True)
    known = (targets >= 0) & (targets < columns)
    chosen = x64.gather(-1, targets.where(known, 0)[..., None])
    loss = (torch.exp(x64 - most).sum(-1, keepdim=True).log() - (chosen - most))[..., 0]
    loss = loss.masked_fill(loss > _FLOAT32.max, float("inf"))
    return loss.masked_fill(~known, float("nan")).masked_fill(targets == ignore_index, 0.0)


def gradient_reference(
    logits: Tensor, targets: Tensor, upstream: Tensor, ignore_index: int = IGNORE_INDEX
) -> Results:
    """Return the loss, and ``(exp(x - max) / sum(exp(x - max)) - [j = t]) upstream``, in float64."""
    loss = reference(logits, targets, ignore_index)
    x64 = logits.double()
    if not x64.numel():
        return loss, x64
    shares = torch.exp(x64 - x64.amax(-1, keepdim=True))
    shares = shares / shares.sum(-1, keepdim=True)
    known = (targets >= 0) & (targets < logits.shape[-1])
    hit = (torch.arange(logits.shape[-1]) == targets[..., None]).double()
    gradient = (shares - hit) * upstream.double()[..., None]
    gradient = gradient.masked_fill(~known[..., None], float("nan"))
    return loss, gradient.masked_fill((targets == ignore_index)[..., None], 0.0)


def _distances(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``d_j = m - x_j`` and the roundings that the sum of exponentials has been through, relative.

    As of softmax: the exponential of a rounded difference has ``3 d_j + 4``. A block has one sum over its
    vector, one rescaling by an exp, a product and an addition, 6, whose exponents add up to d_j; there is one
    rescaling more where the lanes meet, 5, and the height of their sum. The sum weighs terms by shares.
    """
    x64 = logits.double()
    distance = (x64.amax(-1, keepdim=True) - x64).nan_to_num(0, 0, 0)
    shares = torch.exp(-distance) / torch.exp(-distance).sum(-1, keepdim=True)
    distance = distance.clamp(max=110)  # exp(-110) is 0 in float32, whatever its error
    tuning = choose(logits.shape[-1])
    block, vector = tuning.constants["block"], tuning.constants["vector"]
    steps = vector - 1 + 6 * -(-logits.shape[-1] // block) + 5
    height = summation_height(block // vector, lanes=32 * tuning.warps)
    return distance, 3 * (shares * distance).sum(-1, keepdim=True) + 4 + steps + height


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound ``|fl(loss) - loss|`` by the roundings on the way to it.

    A relative error e of the sum S shifts log S by ``e / (1 - e)`` at most. The logarithm itself is within
    4 ulp, 8 u, of its result (1 ulp on a GPU, CUDA C++ Programming Guide, mathematical functions; below 4 ulp
    in numpy). The difference ``x_t - m`` and that from log S round once each.
    """
    logits, targets = arguments["logits"], arguments["targets"]
    if not logits.numel():
        return (torch.zeros(targets.shape, dtype=torch.float64),)
    u = unit_roundoff(torch.float32)
    roundings = _distances(logits)[1][..., 0]
    summed = gamma(roundings) / (1 - gamma(roundings))
    x64 = logits.double()
    most = x64.amax(-1, keepdim=True)
    total = torch.exp(x64 - most).sum(-1).log().nan_to_num(0, 0, 0)
    known = (targets >= 0) & (targets < logits.shape[-1])
    step = (most - x64.gather(-1, targets.where(known, 0)[..., None]))[..., 0].nan_to_num(0, 0, 0)
    before = summed + 8 * u * (total + summed) + u * step
    return (before + u * (expected[0].abs().nan_to_num(0, 0, 0) + before) + underflow(torch.float32),)


def gradient_tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound the loss as above, and ``|fl(g) - g|`` by the roundings on the way to g.

    A share p has the exponential's ``3 d + 4``, the sum's, a quotient of 1 within 2 ulp, 4, and a product.
    Then the difference from 1 or 0 and the factor, one each of the result, and the result's type.
    """
    logits, upstream = arguments["logits"], arguments["upstream"].double()[..., None].abs()
    loss = tolerance(arguments, expected[:1])
    if not logits.numel():
        return (*loss, torch.zeros_like(logits, dtype=torch.float64))
    distance, roundings = _distances(logits)
    x64 = logits.double()
    shares = torch.exp(x64 - x64.amax(-1, keepdim=True))
    shares = shares / shares.sum(-1, keepdim=True)
    size = expected[1].abs()
    inside = shares * gamma((3 * distance + 4) + roundings + 5) * upstream
    inside = inside + gamma(2) * (size + inside)
    last = unit_roundoff(logits.dtype) * (size + inside)
    return (*loss, inside + last + underflow(logits.dtype) * upstream.clamp(min=1))


def _drawn(*shape: int, scale: float = 1.0, shift: float = 0.0, targets: Any = None, **more: Any) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        logits = normal(generator, dtype, *shape, scale=scale) + shift
        if targets is not None:
            chosen = torch.tensor(targets)
        else:
            chosen = torch.randint(0, max(shape[-1], 1), shape[:-1], generator=generator)
        return {"logits": logits, "targets": chosen, **more}

    return draw


def _best(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
    """Let the target of each row be far above the rest, as of a trained model: the loss nearly vanishes."""
    arguments = _drawn(3, 777)(generator, dtype)
    at = arguments["targets"][:, None]
    raised = torch.full((3, 1), 9.0, dtype=dtype)
    return {**arguments, "logits": arguments["logits"].scatter(-1, at, raised)}


def _masked(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
    """Let all columns but five be minus infinity, as behind a mask of what may be said."""
    arguments = _drawn(2, LONG, targets=[LONG - 1, LONG - 4])(generator, dtype)
    arguments["logits"][..., : LONG - 5] = float("-inf")
    return arguments


def _special(value: float, *shape: int, whole_row: bool = False) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = _drawn(*shape, targets=[5] * shape[0])(generator, dtype)
        place = (1,) if whole_row else (1, 77)
        return {**arguments, "logits": with_value(arguments["logits"], place, value=value)}

    return draw


def _extreme(_: torch.Generator, dtype: torch.dtype) -> Arguments:
    """Let the target's logit be as far below the greatest as two numbers of the type can be."""
    logits = torch.zeros(2, 123, dtype=dtype)
    logits[1, 7], logits[1, 5] = torch.finfo(dtype).max, torch.finfo(dtype).min
    return {"logits": logits, "targets": torch.tensor([5, 5])}


def _ignored_nan(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
    arguments = _special(float("nan"), 3, 123)(generator, dtype)
    return {**arguments, "targets": torch.tensor([5, IGNORE_INDEX, 7])}


CASES: dict[str, Draw] = {
    **{name: _drawn(*shape) for name, shape in SHAPES.items()},
    "peaked": _drawn(3, 777, scale=40.0),
    "far_from_zero": _drawn(3, 777, shift=10_000.0),
    "well_predicted": _best,
    "masked": _masked,
    "ignored": _drawn(4, 300, targets=[-100, 0, 299, -100]),
    "ignored_column": _drawn(4, 300, targets=[7, 8, 299, 7], ignore_index=7),
}
SPECIAL: dict[str, tuple[Draw, str]] = {
    "nan": (_special(float("nan"), 3, 123), "a NaN makes its row NaN, and no other"),
    "nan_of_two_blocks": (_special(float("nan"), 2, LONG), "a NaN makes its row NaN, and no other"),
    "infinity": (_special(float("inf"), 3, 123), "an infinity makes its row NaN"),
    "infinity_of_two_blocks": (_special(float("inf"), 2, LONG), "an infinity makes its row NaN"),
    "all_masked": (_special(float("-inf"), 3, 123, whole_row=True), "NaN, and no other row"),
    "target_masked": (
        lambda generator, dtype: {
            **_special(float("-inf"), 3, 123)(generator, dtype),
            "targets": torch.tensor([1, 77, 3]),
        },
        "the loss is infinite where the target's logit is minus infinity; the gradient is finite",
    ),
    "beyond_float32": (_extreme, "a loss beyond float32 is infinite; the gradient is finite"),
    "outside_of_the_row": (
        _drawn(5, 123, targets=[0, 123, -1, 2**40, -(2**40)]),
        "a target that is no column makes its row NaN, and no other",
    ),
    "no_columns": (
        _drawn(3, 0, targets=[0, IGNORE_INDEX, -1]),
        "no target is a column: NaN, and 0 where ignored",
    ),
    "ignored_nan": (_ignored_nan, "an ignored row is 0 although it has a NaN"),
}


def _with_upstream(draw: Draw) -> Draw:
    def drawn(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = draw(generator, dtype)
        # Of both signs, and as small as one over a number of tokens.
        upstream = normal(generator, torch.float32, *arguments["targets"].shape, scale=0.1)
        return {**arguments, "upstream": upstream}

    return drawn


def _nan_upstream(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
    arguments = _drawn(3, 123, targets=[0, 1, IGNORE_INDEX])(generator, dtype)
    return {**arguments, "upstream": torch.tensor([1.0, float("nan"), float("nan")])}


def _errors(draw: Draw, output: str) -> tuple[ErrorCase, ...]:
    def changed(**changes: Callable[[Any], Any]) -> Callable[[], Arguments]:
        def arguments() -> Arguments:
            drawn = draw(torch.Generator().manual_seed(0), torch.float32)
            return {**drawn, **{name: change(drawn.get(name)) for name, change in changes.items()}}

        return arguments

    return (
        ErrorCase("float64", changed(logits=Tensor.double), UnknownDtypeError, "logits is torch.float64"),
        ErrorCase("short_targets", changed(targets=Tensor.int), UnknownDtypeError, "targets is torch.int32"),
        ErrorCase("fewer_targets", changed(targets=lambda t: t[1:]), ShapeError, "targets is [2]"),
        ErrorCase(
            "targets_apart",
            changed(targets=lambda t: t.repeat(2)[::2]),
            LayoutError,
            "targets has strides [2]",
        ),
        ErrorCase("scalar", changed(logits=Tensor.sum), ShapeError, "no dimension"),
        ErrorCase(
            "columns_apart", changed(logits=lambda x: x.mT.contiguous().mT), LayoutError, "lie 3 apart"
        ),
        ErrorCase(
            "ignore_beyond_int64", changed(ignore_index=lambda _: 2**63), ValueRangeError, "ignore_index is"
        ),
        ErrorCase("half_loss", changed(loss=lambda _: torch.zeros(3).half()), UnknownDtypeError, "loss is"),
        ErrorCase(
            "shared_buffer",
            changed(**{output: lambda _: torch.zeros(1).expand((3,) if output == "loss" else (3, 123))}),
            LayoutError,
            output,
        ),
    )


_TYPES = {
    "logits_ptr": "*element:16",
    "targets_ptr": "*i64:16",
    "loss_ptr": "*fp32:16",
    "logits_stride": "i32:16",
    "columns": "i32:16",
    "ignore_index": "i32",
}

CROSS_ENTROPY = KernelSpec(
    name="cross_entropy",
    call=cross_entropy,
    reference=reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=(
        Case("qwen2_5_0_5b", _drawn(1, 151936)),
        *(Case(name, draw) for name, draw in CASES.items()),
    ),
    special=tuple(Case(name, draw, states) for name, (draw, states) in SPECIAL.items()),
    errors=_errors(_drawn(3, 123), "loss"),
    outputs=("loss",),
    types={"loss": torch.float32},
    traffic=lambda arguments: (
        itemsize(arguments["logits"]) + itemsize(arguments["targets"]) + 4 * arguments["targets"].numel()
    ),
    # A maximum, a difference, an exp and an addition a column; a logarithm and two differences a row.
    operations=lambda arguments: 4 * arguments["logits"].numel() + 3 * arguments["targets"].numel(),
    programs=(Program(cross_entropy_kernel, _TYPES, SPACE, wide_loads=2),),
    properties=loss_properties(reference, tolerance),
    in_place=False,
)

CROSS_ENTROPY_WITH_GRADIENT = KernelSpec(
    name="cross_entropy_with_gradient",
    call=cross_entropy_with_gradient,
    reference=gradient_reference,
    tolerance=gradient_tolerance,
    dtypes=FLOATS,
    cases=tuple(Case(name, _with_upstream(draw)) for name, draw in CASES.items()),
    special=(
        *(Case(name, _with_upstream(draw), states) for name, (draw, states) in SPECIAL.items()),
        Case(
            "nan_upstream", _nan_upstream, "a NaN upstream makes its gradient NaN, unless the row is ignored"
        ),
    ),
    errors=(
        *_errors(_with_upstream(_drawn(3, 123)), "gradient"),
        ErrorCase(
            "half_upstream",
            lambda: {
                **_drawn(3, 123)(torch.Generator().manual_seed(0), torch.float32),
                "upstream": torch.zeros(3, dtype=torch.float16),
            },
            UnknownDtypeError,
            "upstream is torch.float16",
        ),
    ),
    outputs=("loss", "gradient"),
    types={"loss": torch.float32},
    traffic=lambda arguments: (
        2 * itemsize(arguments["logits"])
        + sum(itemsize(arguments[name]) for name in ("targets", "upstream"))
        + 4 * arguments["targets"].numel()
    ),
    operations=lambda arguments: 9 * arguments["logits"].numel() + 4 * arguments["targets"].numel(),
    programs=(
        Program(
            cross_entropy_with_gradient_kernel,
            {
                **_TYPES,
                "upstream_ptr": "*fp32:16",
                "gradient_ptr": "*element:16",
                "gradient_stride": "i32:16",
            },
            SPACE,
            wide_loads=4,
        ),
    ),
    properties=gradient_properties(gradient_reference, gradient_tolerance),
)
