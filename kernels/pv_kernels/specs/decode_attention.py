"""What is claimed of decode attention."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pv_kernels.decode_attention import (
    COMBINE_SPACE,
    SPACE,
    choose,
    choose_splits,
    combine_splits_kernel,
    decode_attention,
    decode_attention_kernel,
)
from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError, ValueRangeError
from pv_kernels.spec import Arguments, Case, Draw, ErrorCase, KernelSpec, Program, Results
from pv_kernels.specs.attention_formula import allowed_error, attend
from pv_kernels.specs.decode_attention_properties import properties
from pv_kernels.specs.samples import itemsize, normal, with_value

__all__ = ["DECODE_ATTENTION", "drawn", "reference", "tolerance"]


def reference(
    q: Tensor, k: Tensor, v: Tensor, lengths: Tensor, scale: float | None = None, splits: int | None = None
) -> Tensor:
    """Return softmax(q k^T scale) v over the first `lengths` keys, in float64; `splits` changes nothing."""
    del splits
    capacity = k.shape[2]
    if capacity:
        seen = _seen(lengths, capacity)
        values = v.masked_fill(~seen[:, :, 0, :, None], 0.0)  # 0 times NaN, beyond the length, would be NaN
        answer = attend(q[:, :, None], k, values, seen, _scale(q, scale))[:, :, 0]
    else:
        answer = torch.zeros(q.shape, dtype=torch.float64)
    answer = answer.masked_fill((lengths == 0)[:, None, None], 0.0)
    return answer.masked_fill(((lengths < 0) | (lengths > capacity))[:, None, None], float("nan"))


def tolerance(arguments: Arguments, expected: Results) -> Results:
    """Bound the error as `allowed_error` does; where there is no key, none is allowed."""
    q, k, v, lengths = (arguments[name] for name in ("q", "k", "v", "lengths"))
    batch, kv_heads, capacity, head_dim = k.shape
    if not capacity or not batch:
        return (torch.zeros_like(expected[0]),)
    seen = _seen(lengths, capacity)
    splits = arguments.get("splits") or choose_splits(batch * kv_heads, capacity)
    values = v.masked_fill(~seen[:, :, 0, :, None], 0.0)
    scale = _scale(q, arguments.get("scale"))
    block = choose(head_dim).constants["block_keys"]
    allowed = allowed_error(q[:, :, None], k, values, seen, scale, block=block, splits=splits)[:, :, 0]
    return (allowed.masked_fill((lengths == 0)[:, None, None], 0.0),)


def _seen(lengths: Tensor, capacity: int) -> Tensor:
    return (torch.arange(capacity) < lengths[:, None])[:, None, None]


def _scale(q: Tensor, scale: float | None) -> float:
    return 1 / math.sqrt(q.shape[-1]) if scale is None else scale


def drawn(
    heads: int,
    kv_heads: int,
    head_dim: int,
    capacity: int,
    lengths: Sequence[int],
    *,
    spread: float = 1.0,
    **more: Any,
) -> Draw:
    """Return what draws one token for each of `lengths`, scores `spread` times as far apart, over a cache."""

    def draw(generator: torch.Generator, dtype: torch.dtype) -> Arguments:
        batch = len(lengths)
        return {
            "q": normal(generator, dtype, batch, heads, head_dim, scale=spread),
            "k": normal(generator, dtype, batch, kv_heads, capacity, head_dim),
            "v": normal(generator, dtype, batch, kv_heads, capacity, head_dim),
            "lengths": torch.tensor(lengths, dtype=torch.int32),
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


def _behind_the_length(cache: Tensor) -> Tensor:
    """Fill what is at or after a length of 5 with NaN."""
    cache = cache.clone()
    cache[:, :, 5:] = float("nan")
    return cache


def _interleaved(cache: Tensor) -> Tensor:
    """Lay a cache out as ``[batch, capacity, kv_heads, head_dim]``."""
    return cache.transpose(1, 2).contiguous().transpose(1, 2)


_SMALL = drawn(4, 2, 64, 9, [9, 5])
_NAN, _INFINITY = float("nan"), float("inf")


def _refused(**changes: Any) -> Callable[[], Arguments]:
    def arguments() -> Arguments:
        given = _SMALL(torch.Generator().manual_seed(0), torch.float32)
        return {
            **given,
            **{k: change(given.get(k)) if callable(change) else change for k, change in changes.items()},
        }

    return arguments


_STRIDES = {name: "i32:16" for name in decode_attention_kernel.arg_names if name.endswith("_stride")}
_PARTS = dict.fromkeys(("mixed_ptr", "top_ptr", "total_ptr"), "*fp32:16")

DECODE_ATTENTION = KernelSpec(
    name="decode_attention",
    call=decode_attention,
    reference=reference,
    tolerance=tolerance,
    dtypes=FLOATS,
    cases=(
        Case("qwen2_5_0_5b", drawn(14, 2, 64, 80, [77, 33])),
        Case("qwen2_5_1_5b", drawn(12, 2, 128, 70, [70])),
        Case("qwen2_5_7b", drawn(28, 4, 128, 40, [37])),
        Case("ratio_one", drawn(3, 3, 64, 70, [66])),
        Case("ratio_eight", drawn(16, 2, 64, 70, [70])),
        Case("ratio_beyond_a_tile", drawn(34, 2, 64, 20, [19])),
        Case("one_row", drawn(14, 2, 64, 16, [1])),
        Case("odd", drawn(6, 2, 64, 131, [65, 131], splits=2)),
        Case("weird", drawn(3, 1, 64, 21, [21, 7, 0, 17, 1])),
        Case("many_lengths", drawn(4, 2, 64, 130, [0, 1, 64, 65, 130])),
        Case("split", drawn(14, 2, 64, 330, [330, 200], splits=3)),
        Case("more_splits_than_tiles", drawn(4, 2, 64, 70, [70, 3], splits=20)),
        Case("split_by_itself", drawn(2, 1, 64, 800, [777])),
        Case("far_apart", drawn(4, 2, 64, 200, [200], spread=30.0, splits=2)),
        Case("own_scale", drawn(4, 2, 64, 20, [20], scale=0.5)),
        Case("interleaved_cache", _altered(drawn(14, 2, 64, 40, [33, 40]), k=_interleaved, v=_interleaved)),
        Case("no_key", drawn(4, 2, 64, 0, [0, 0])),
        Case("empty", drawn(14, 2, 64, 16, [])),
    ),
    special=(
        Case("nan_in_q", _altered(_SMALL, q=_put(_NAN, 0, 1, 7)), "NaN in that head, and in no other"),
        Case("nan_in_k", _altered(_SMALL, k=_put(_NAN, 0, 1, 3, 7)), "NaN in the heads that share the key"),
        Case(
            "nan_in_v",
            _altered(_SMALL, v=_put(_NAN, 0, 1, 3, 7)),
            "NaN in that column of the heads that share it",
        ),
        Case(
            "nan_behind",
            _altered(drawn(4, 2, 64, 9, [5, 5]), k=_behind_the_length, v=_behind_the_length),
            "nothing",
        ),
        Case(
            "infinity_in_k",
            _altered(_SMALL, k=_put(_INFINITY, 0, 1, 3, 7)),
            "NaN, or a share of 0, by the sign of q",
        ),
        Case(
            "infinity_in_v", _altered(_SMALL, v=_put(_INFINITY, 0, 1, 3, 7)), "that infinity, in its column"
        ),
        Case("too_long", drawn(4, 2, 64, 9, [9, 10, 2]), "NaN in that sequence, and nothing is read beyond"),
        Case("negative_length", drawn(4, 2, 64, 9, [-1, 4]), "NaN in that sequence"),
    ),
    errors=(
        ErrorCase("float64", _refused(q=Tensor.double), UnknownDtypeError, "q is torch.float64"),
        ErrorCase("two_types", _refused(k=Tensor.half), UnknownDtypeError, "k is torch.float16"),
        ErrorCase("long_lengths", _refused(lengths=Tensor.long), UnknownDtypeError, "lengths is torch.int64"),
        ErrorCase(
            "two_tokens", _refused(q=lambda q: q[:, :, None].expand(-1, -1, 2, -1)), ShapeError, "one token"
        ),
        ErrorCase("values_unlike", _refused(v=lambda v: v[:, :, :8]), ShapeError, "v [2, 2, 8, 64]"),
        ErrorCase("flat_cache", _refused(k=lambda k: k[0], v=lambda v: v[0]), ShapeError, "wanted for both"),
        ErrorCase("batch_unlike", _refused(q=lambda q: q[:1]), ShapeError, "batch (first)"),
        ErrorCase("three_over_two", _refused(q=lambda q: q[:, :3]), ShapeError, "q has 3 heads and k has 2"),
        ErrorCase("no_key_head", _refused(k=lambda k: k[:, :0], v=lambda v: v[:, :0]), ShapeError, "k has 0"),
        ErrorCase(
            "head_dim",
            _refused(**dict.fromkeys("qkv", lambda part: part[..., :48])),
            ShapeError,
            "head_dim is 48",
        ),
        ErrorCase("elements_apart", _refused(k=lambda k: k.mT.contiguous().mT), LayoutError, "lie 9 apart"),
        ErrorCase("lengths_of_others", _refused(lengths=lambda n: n[:1]), ShapeError, "lengths is [1]"),
        ErrorCase("no_split", _refused(splits=0), ValueRangeError, "splits is 0"),
        ErrorCase("many_splits", _refused(splits=65), ValueRangeError, "splits is 65"),
        ErrorCase("negative_scale", _refused(scale=-1.0), ValueRangeError, "scale is -1.0"),
        ErrorCase("infinite_scale", _refused(scale=_INFINITY), ValueRangeError, "scale is inf"),
        ErrorCase("short_buffer", _refused(out=torch.zeros(1, 4, 64)), ShapeError, "out is [1, 4, 64]"),
        ErrorCase(
            "shared_buffer", _refused(out=torch.zeros(64).expand(2, 4, 64)), LayoutError, "share memory"
        ),
    ),
    outputs=("out",),
    traffic=lambda a: (
        2 * itemsize(a["q"])
        + itemsize(a["lengths"])
        + 2 * _keys(a) * a["k"].shape[1] * a["k"].shape[3] * a["k"].itemsize
    ),
    operations=lambda a: 4 * _keys(a) * a["q"].shape[1] * a["q"].shape[2] + a["q"].numel(),
    programs=(
        Program(
            decode_attention_kernel,
            {
                **dict.fromkeys(("q_ptr", "k_ptr", "v_ptr"), "*element:16"),
                **dict.fromkeys(("kv_heads", "group", "capacity"), "i32"),
                "lengths_ptr": "*i32:16",
                "scale": "fp32",
                **_PARTS,
                **_STRIDES,
            },
            SPACE,
            {"block_heads": 16, "upcast": False},
            wide_loads=1,
            wide_copies=2,
            matrix_units=True,
        ),
        Program(
            combine_splits_kernel,
            {
                **dict.fromkeys(("out_batch_stride", "out_head_stride"), "i32:16"),
                **dict.fromkeys(("heads", "splits", "capacity"), "i32"),
                "lengths_ptr": "*i32:16",
                "out_ptr": "*element:16",
                **_PARTS,
            },
            COMBINE_SPACE,
            wide_loads=2,
        ),
    ),
    properties=properties(drawn, reference, tolerance),
    launches=2,
)


def _keys(arguments: Arguments) -> int:
    """Return how many keys are filled in, in all sequences."""
    return int(arguments["lengths"].sum())
