"""What is claimed of rotary position embedding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError
from pv_kernels.rope import SPACE, rope, rope_kernel
from pv_kernels.rounding import gamma, underflow, unit_roundoff
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Property, Results
from pv_kernels.specs.samples import itemsize, normal, used, with_value

__all__ = ["ROPE", "drawn", "table"]

THETA = 1_000_000.0
"""That of Qwen2.5."""
SHAPES = {
    "qwen2_5_0_5b": (3, 14, 2, 64),
    "qwen2_5_1_5b": (2, 12, 2, 128),
    "qwen2_5_7b": (2, 28, 4, 128),
    "many_tokens": (70, 2, 1, 64),
    "weird": (5, 3, 1, 82),
    "one_row": (1, 14, 2, 64),
    "one_pair": (4, 2, 1, 2),
    "odd": (3, 9, 5, 66),
    "wide": (1, 2, 1, 256),
    "empty": (0, 14, 2, 64),
    "no_keys": (2, 4, 0, 64),
}
"""Tokens, query heads, key heads, dimensions."""


def table(positions: int, half: int) -> tuple[Tensor, Tensor]:
    """Return cos and sin ``[positions, half]``, computed in float64 and rounded to float32 once."""
    frequencies = THETA ** (-torch.arange(half, dtype=torch.float64) / max(half, 1))
    angles = torch.arange(positions, dtype=torch.float64)[:, None] * frequencies
    return angles.cos().float(), angles.sin().float()


def reference(q: Tensor, k: Tensor, positions: Tensor, cos: Tensor, sin: Tensor) -> Results:
    """``x cos + (-x_high, x_low) sin`` in float64, NaN where the table does not have the position."""
    known = (positions >= 0) & (positions < cos.shape[0])

    def factors(side: Tensor) -> Tensor:
        chosen = side.double()[positions.where(known, 0)].masked_fill(~known[:, None], float("nan"))
        return torch.cat([chosen, chosen], dim=-1)[:, None]

    def rotated(x: Tensor) -> Tensor:
        low, high = x.double().chunk(2, dim=-1)
        return x.double() * factors(cos) + torch.cat([-high, low], dim=-1) * factors(sin)

    return rotated(q), rotated(k)


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound ``|fl(y) - y|`` by the roundings on the way to y.

    A difference or a sum of two products has ``gamma(2) (|a c| + |b s|)``, however much cancels; then the
    result is rounded to its type.
    """
    positions, cos, sin = arguments["positions"], arguments["cos"].abs(), arguments["sin"].abs()
    last = unit_roundoff(arguments["q"].dtype)
    bounds = []
    for name, result in zip(("q", "k"), expected, strict=True):
        low, high = arguments[name].double().abs().chunk(2, dim=-1)
        # Rotated with the sign of the high half turned, every term adds up.
        down = reference(torch.cat([low, -high], dim=-1), result[:, :0], positions, cos, sin)[0]
        up = reference(torch.cat([low, high], dim=-1), result[:, :0], positions, cos, sin)[0]
        half = low.shape[-1]
        inside = gamma(2) * torch.cat([down[..., :half], up[..., half:]], dim=-1)
        bounds.append(inside + last * (result.abs() + inside) + underflow(arguments[name].dtype))
    return tuple(bounds)


def drawn(tokens: int, q_heads: int, k_heads: int, dimensions: int, *, positions: int = 64) -> Draw:
    """Return what draws queries, keys, and positions out of a table of so many."""

    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        cos, sin = table(positions, dimensions // 2)
        return {
            "q": normal(generator, dtype, tokens, q_heads, dimensions),
            "k": normal(generator, dtype, tokens, k_heads, dimensions),
            "positions": torch.randint(0, positions, (tokens,), generator=generator),
            "cos": cos,
            "sin": sin,
        }

    return draw


def _special(value: float) -> Draw:
    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = drawn(3, 3, 2, 64)(generator, dtype)
        return {**arguments, "k": with_value(arguments["k"], (1, 1, 40), value=value)}

    return draw


def _outside(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
    arguments = drawn(4, 3, 2, 64)(generator, dtype)
    return {**arguments, "positions": torch.tensor([0, 64, -1, 2**40])}


def _changed(**changes: Any) -> Any:
    def arguments() -> Arguments:
        plain = drawn(3, 4, 2, 64)(torch.Generator().manual_seed(0), torch.float32)
        return {**plain, **{name: change(plain.get(name)) for name, change in changes.items()}}

    return arguments


def _keeps_norms(kernel: Any, *, tokens: int, half: int, seed: int) -> float:
    """Compare the length of every pair; the table has ``c^2 + s^2 = 1`` within 2 u."""
    arguments = drawn(tokens, 3, 2, 2 * half)(torch.Generator().manual_seed(seed), torch.float32)
    results = kernel(**arguments)
    before, after, allowed = [], [], []
    bounds = tolerance(arguments, reference(**arguments))
    for x, y, bound in zip((arguments["q"], arguments["k"]), results, bounds, strict=True):
        lengths = [torch.hypot(*part.double().chunk(2, dim=-1)) for part in (x, y, bound)]
        before.append(lengths[0])
        after.append(lengths[1])
        allowed.append(lengths[2] + 2 * unit_roundoff(torch.float32) * lengths[0])
    return used(tuple(after), tuple(before), tuple(allowed))


def _relative_positions(kernel: Any, *, half: int, first: int, second: int, shift: int, seed: int) -> float:
    """Compare the product of a query and a key with that of both moved: only their distance counts."""
    generator = torch.Generator().manual_seed(seed)
    arguments = drawn(2, 1, 1, 2 * half, positions=128)(generator, torch.float32)
    # One query and one key, once at each place.
    arguments = {
        **arguments,
        "q": arguments["q"][:1].expand(2, -1, -1),
        "k": arguments["k"][:1].expand(2, -1, -1),
    }
    products, errors = [], []
    for moved in (0, shift):
        places = [torch.tensor([place + moved] * 2) for place in (first, second)]
        q = kernel(**{**arguments, "positions": places[0]})[0][0, 0].double()
        k = kernel(**{**arguments, "positions": places[1]})[1][0, 0].double()
        products.append((q * k).sum())
        sizes = [x[0, 0].double().abs() for x in (arguments["q"], arguments["k"])]
        # Each element is off by three roundings and that of its factor, of the pair's two magnitudes.
        off = [(gamma(4) * (size + size.roll(half))) for size in sizes]
        errors.append((q.abs() * off[1] + off[0] * k.abs() + off[0] * off[1]).sum())
    return used((products[1],), (products[0],), (errors[0] + errors[1],))


def _stays_at_zero(kernel: Any, *, tokens: int, half: int, seed: int) -> float:
    """Turn nothing at position 0."""
    arguments = drawn(tokens, 3, 2, 2 * half)(torch.Generator().manual_seed(seed), torch.bfloat16)
    q, k = kernel(**{**arguments, "positions": torch.zeros(tokens, dtype=torch.int64)})
    return 0.0 if torch.equal(q, arguments["q"]) and torch.equal(k, arguments["k"]) else float("inf")


_TYPES = {
    **dict.fromkeys(("q_ptr", "k_ptr", "q_out_ptr", "k_out_ptr"), "*element:16"),
    **dict.fromkeys(("cos_ptr", "sin_ptr"), "*fp32:16"),
    "positions_ptr": "*i64:16",
    **{
        f"{name}_{axis}_stride": "i32:16"
        for name in ("q", "k", "q_out", "k_out")
        for axis in ("token", "head")
    },
    **dict.fromkeys(("table", "q_heads", "k_heads"), "i32"),
    "half": "i32:16",
    "direction": "fp32",
}

ROPE = KernelSpec(
    name="rope",
    call=rope,
    reference=reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=tuple(Case(name, drawn(*shape)) for name, shape in SHAPES.items()),
    special=(
        Case("nan", _special(float("nan")), "a NaN makes its pair NaN, and no other"),
        Case("infinity", _special(float("inf")), "an infinity makes its pair infinite, no other"),
        Case("outside_of_the_table", _outside, "a position that the table has not makes its token NaN"),
    ),
    errors=(
        ErrorCase("float64", _changed(q=Tensor.double), UnknownDtypeError, "q is torch.float64"),
        ErrorCase("two_types", _changed(k=Tensor.half), UnknownDtypeError, "k is torch.float16"),
        ErrorCase("half_table", _changed(cos=Tensor.half), UnknownDtypeError, "cos is torch.float16"),
        ErrorCase("real_positions", _changed(positions=Tensor.float), UnknownDtypeError, "positions is"),
        ErrorCase("flat", _changed(q=lambda q: q.flatten(1)), ShapeError, "q is [3, 256]"),
        ErrorCase("odd", _changed(q=lambda q: q[..., 1:]), ShapeError, "63 dimensions"),
        ErrorCase("fewer_keys", _changed(k=lambda k: k[1:]), ShapeError, "k is [2, 2, 64]"),
        ErrorCase("few_positions", _changed(positions=lambda p: p[1:]), ShapeError, "positions is [2]"),
        ErrorCase("whole_table", _changed(sin=lambda s: s.repeat(1, 2)), ShapeError, "sin is [64, 64]"),
        ErrorCase(
            "too_wide",
            lambda: drawn(1, 1, 1, 258)(torch.Generator().manual_seed(0), torch.float32),
            ShapeError,
            "258 dimensions",
        ),
        ErrorCase(
            "columns_apart", _changed(q=lambda q: q.mT.contiguous().mT), LayoutError, "q: elements of a"
        ),
        ErrorCase(
            "table_apart", _changed(cos=lambda c: c.mT.contiguous().mT), LayoutError, "cos has strides"
        ),
        ErrorCase(
            "shared_buffer",
            _changed(q_out=lambda _: torch.zeros(1).expand(3, 4, 64)),
            LayoutError,
            "q_out: elements",
        ),
    ),
    outputs=("q_out", "k_out"),
    traffic=lambda arguments: (
        2 * (itemsize(arguments["q"]) + itemsize(arguments["k"]))
        + itemsize(arguments["positions"])
        # A row of cos and of sin for each token.
        + 2 * 4 * arguments["positions"].numel() * arguments["cos"].shape[1]
    ),
    operations=lambda arguments: 3 * (arguments["q"].numel() + arguments["k"].numel()),
    programs=(Program(rope_kernel, _TYPES, SPACE, wide_loads=4),),
    properties=(
        Property("keeps_norms", {"tokens": (1, 3), "half": (1, 40), "seed": (0, 2**31 - 1)}, _keeps_norms),
        Property(
            "relative_positions",
            {
                "half": (1, 40),
                "first": (0, 60),
                "second": (0, 60),
                "shift": (0, 60),
                "seed": (0, 2**31 - 1),
            },
            _relative_positions,
        ),
        Property(
            "nothing_at_zero", {"tokens": (1, 3), "half": (1, 40), "seed": (0, 2**31 - 1)}, _stays_at_zero
        ),
    ),
)
