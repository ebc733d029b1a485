"""What is claimed of causal attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv_kernels.attention import FLOAT32_SPACE, SPACE, attention, attention_kernel, choose
from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError, ValueRangeError
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Results
from pv_kernels.specs.attention_formula import allowed_error, attend
from pv_kernels.specs.attention_properties import properties
from pv_kernels.specs.samples import itemsize, normal, with_value

__all__ = ["ATTENTION", "drawn", "reference", "tolerance"]


def reference(q: Tensor, k: Tensor, v: Tensor, scale: float | None = None) -> Tensor:
    """Return softmax(q k^T scale) v with each token seeing the keys up to its own, in float64."""
    if not q.numel():
        return q.double()
    return attend(q, k, v, _seen(q, k), _scale(q, scale))


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound the error as `allowed_error` does."""
    q, k, v = (arguments[name] for name in ("q", "k", "v"))
    if not q.numel():
        return (torch.zeros_like(expected[0]),)
    block = choose(q.shape[-1], q.dtype).constants["block_keys"]
    return (allowed_error(q, k, v, _seen(q, k), _scale(q, arguments.get("scale")), block=block),)


def _seen(q: Tensor, k: Tensor) -> Tensor:
    tokens, keys = q.shape[2], k.shape[2]
    return torch.ones(tokens, keys, dtype=torch.bool).tril(keys - tokens)[None, None]


def _scale(q: Tensor, scale: float | None) -> float:
    return 1 / math.sqrt(q.shape[-1]) if scale is None else scale


def drawn(
    heads: int,
    kv_heads: int,
    head_dim: int,
    tokens: int,
    *,
    before: int = 0,
    batch: int = 1,
    spread: float = 1.0,
    **more: Any,
) -> Draw:
    """Return what draws `tokens` behind `before` others, scores `spread` times as far apart."""

    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        keys = (batch, kv_heads, before + tokens, head_dim)
        return {
            "q": normal(generator, dtype, batch, heads, tokens, head_dim, scale=spread),
            "k": normal(generator, dtype, *keys),
            "v": normal(generator, dtype, *keys),
            **more,
        }

    return draw


def _altered(draw: Draw, **changes: Callable[[Tensor], Tensor]) -> Draw:
    """Return what draws as `draw` does, each argument named put through its change."""

    def altered(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        arguments = draw(generator, dtype)
        return {**arguments, **{name: change(arguments[name]) for name, change in changes.items()}}

    return altered


def _put(value: float, *place: int) -> Callable[[Tensor], Tensor]:
    return lambda tensor: with_value(tensor, place, value=value)


def _interleaved(part: Tensor) -> Tensor:
    """Lay heads out as projections leave them: ``[batch, tokens, heads, head_dim]``."""
    return part.transpose(1, 2).contiguous().transpose(1, 2)


_SMALL = drawn(4, 2, 64, 9)
_NAN, _INFINITY = float("nan"), float("inf")


def _refused(**changes: Any) -> Callable[[], Arguments]:
    def arguments() -> Arguments:
        given = _SMALL(torch.Generator().manual_seed(0), torch.float32)
        return {
            **given,
            **{k: change(given[k]) if callable(change) else change for k, change in changes.items()},
        }

    return arguments


_TYPES = {
    **{name: "i32:16" for name in attention_kernel.arg_names if name.endswith("_stride")},
    **dict.fromkeys(("heads", "group", "tokens", "keys"), "i32"),
    "scale": "fp32",
}
_POINTERS = ("q_ptr", "k_ptr", "v_ptr", "out_ptr")

ATTENTION = KernelSpec(
    name="attention",
    call=attention,
    reference=reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=(
        Case("qwen2_5_0_5b", drawn(14, 2, 64, 33)),
        Case("qwen2_5_1_5b", drawn(12, 2, 128, 20)),
        Case("qwen2_5_7b", drawn(28, 4, 128, 9)),
        Case("ratio_one", drawn(2, 2, 64, 65)),
        Case("ratio_eight", drawn(8, 1, 64, 17, batch=2)),
        Case("three_tiles", drawn(2, 1, 64, 131)),
        Case("wide_heads", drawn(2, 1, 128, 67)),
        Case("one_row", drawn(14, 2, 64, 1)),
        Case("one_key_behind_many", drawn(4, 2, 64, 1, before=70)),
        Case("odd", drawn(3, 1, 64, 5, before=123)),
        Case("narrow_heads", drawn(8, 2, 32, 67)),
        Case("weird", drawn(3, 1, 64, 7, batch=5)),
        Case("piece", drawn(4, 2, 64, 66, before=65)),
        Case("far_apart", drawn(2, 1, 64, 70, spread=30.0)),
        Case("own_scale", drawn(2, 1, 64, 20, scale=0.5)),
        Case("interleaved", _altered(drawn(4, 2, 64, 20, batch=2), **dict.fromkeys("qkv", _interleaved))),
        Case("no_token", drawn(4, 2, 64, 0, before=5)),
        Case("empty", drawn(4, 2, 64, 5, batch=0)),
    ),
    special=(
        Case("nan_in_q", _altered(_SMALL, q=_put(_NAN, 0, 1, 3, 7)), "NaN in that row, and in no other"),
        Case(
            "nan_in_k",
            _altered(_SMALL, k=_put(_NAN, 0, 1, 3, 7)),
            "NaN in the rows that see it, and in no other",
        ),
        Case("nan_in_v", _altered(_SMALL, v=_put(_NAN, 0, 1, 0, 7)), "NaN in its column for all who see it"),
        Case(
            "infinity_in_k",
            _altered(_SMALL, k=_put(_INFINITY, 0, 1, 3, 7)),
            "NaN, or a share of 0, by the sign of q",
        ),
        Case(
            "infinity_in_v", _altered(_SMALL, v=_put(_INFINITY, 0, 1, 0, 7)), "that infinity, in its column"
        ),
    ),
    errors=(
        ErrorCase("float64", _refused(q=Tensor.double), UnknownDtypeError, "q is torch.float64"),
        ErrorCase("two_types", _refused(v=Tensor.half), UnknownDtypeError, "v is torch.float16"),
        ErrorCase(
            "one_token_flat", _refused(q=lambda q: q[:, :, 0]), ShapeError, "wanted is [batch, heads, tokens"
        ),
        ErrorCase("values_unlike", _refused(v=lambda v: v[:, :, :8]), ShapeError, "v [1, 2, 8, 64]"),
        ErrorCase("batch_unlike", _refused(q=lambda q: q.expand(2, -1, -1, -1)), ShapeError, "batch (first)"),
        ErrorCase("three_over_two", _refused(q=lambda q: q[:, :3]), ShapeError, "q has 3 heads and k has 2"),
        ErrorCase(
            "fewer_keys",
            _refused(k=lambda k: k[:, :, :8], v=lambda v: v[:, :, :8]),
            ShapeError,
            "9 tokens and k 8 keys",
        ),
        ErrorCase(
            "head_dim",
            _refused(**dict.fromkeys("qkv", lambda part: part[..., :48])),
            ShapeError,
            "head_dim is 48",
        ),
        ErrorCase("elements_apart", _refused(q=lambda q: q.mT.contiguous().mT), LayoutError, "lie 9 apart"),
        ErrorCase("negative_scale", _refused(scale=-1.0), ValueRangeError, "scale is -1.0"),
        ErrorCase("short_buffer", _refused(out=torch.zeros(1, 4, 8, 64)), ShapeError, "out is [1, 4, 8, 64]"),
        ErrorCase(
            "shared_buffer", _refused(out=torch.zeros(64).expand(1, 4, 9, 64)), LayoutError, "share memory"
        ),
    ),
    outputs=("out",),
    traffic=lambda a: sum(itemsize(a[name]) for name in ("q", "q", "k", "v")),
    operations=lambda a: 4 * a["q"].shape[0] * a["q"].shape[1] * a["q"].shape[3] * _pairs(a) + a["q"].numel(),
    programs=(
        # float32 takes the one way, 16-bit elements the other: neither is compiled for what it never meets.
        Program(
            attention_kernel,
            {**dict.fromkeys(_POINTERS, "*element:16"), **_TYPES},
            FLOAT32_SPACE,
            {"upcast": True},
            wide_loads=4,
            dtypes=(torch.float32,),
            wide_copies=2,
        ),
        Program(
            attention_kernel,
            {**dict.fromkeys(_POINTERS, "*element:16"), **_TYPES},
            SPACE,
            {"upcast": False},
            wide_loads=2,
            dtypes=(torch.bfloat16, torch.float16),
            wide_copies=2,
            matrix_units=True,
            warpgroup_rows="block_tokens",
        ),
    ),
    properties=properties(drawn, reference, tolerance),
)


def _pairs(arguments: Arguments) -> int:
    """Return how many pairs of a token and a key it sees there are."""
    tokens, keys = arguments["q"].shape[2], arguments["k"].shape[2]
    return tokens * (keys - tokens) + tokens * (tokens + 1) // 2  # type: ignore[no-any-return]
