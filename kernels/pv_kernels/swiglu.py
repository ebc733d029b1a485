"""SwiGLU: the gate of a feed-forward block.

``y = silu(g) u`` with ``silu(g) = g / (1 + exp(-g))``, element by element.

Source: Shazeer 2020, arXiv:2002.05202. The mathematics is float32 whatever the elements are.

A NaN in either makes that element NaN. A gate of infinity gives an infinity with u's sign, or NaN where u is
0; one of minus infinity gives NaN, which is what the formula says, though its limit is 0.
"""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from pv_kernels.language import jit
from pv_kernels.operands import buffer, rows, same, same_shape
from pv_kernels.tuning import Tuning

__all__ = ["SPACE", "choose", "swiglu", "swiglu_kernel"]

SPACE = (
    Tuning({"block": 256}, warps=1),
    Tuning({"block": 1024}, warps=4),
    Tuning({"block": 2048}, warps=4),
)


@jit
def swiglu_kernel(
    gate_ptr: tl.tensor,  # [rows, columns]
    up_ptr: tl.tensor,  # [rows, columns]
    out_ptr: tl.tensor,  # [rows, columns]
    gate_stride: tl.tensor,
    up_stride: tl.tensor,
    out_stride: tl.tensor,
    columns: tl.tensor,
    block: tl.constexpr,
) -> None:
    """Gate one block of one row a program."""
    row = tl.program_id(0).to(tl.int64)  # rows times stride may pass 2^31
    offsets = tl.program_id(1) * block + tl.arange(0, block)
    mask = offsets < columns
    gate = tl.load(gate_ptr + row * gate_stride + offsets, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + offsets, mask=mask, other=0.0).to(tl.float32)
    gated = gate * tl.sigmoid(gate) * up
    tl.store(out_ptr + row * out_stride + offsets, gated.to(out_ptr.dtype.element_ty), mask=mask)


def choose(row_count: int, columns: int) -> Tuning:
    """Return small blocks for few rows, so that more programs run, and larger ones for many."""
    if row_count * columns <= 1 << 16:
        return SPACE[0]
    return SPACE[2] if row_count * columns >= 1 << 22 else SPACE[1]


def swiglu(gate: Tensor, up: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``silu(gate) * up``.

    Parameters
    ----------
    gate, up
        ``[..., columns]`` each, of the same shape and type; rows may be further apart than they are long, as
        those of the two halves of one product are.
    out
        Where to write the result; `gate` or `up` itself is allowed.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        See `pv_kernels.errors`.
    """
    same(gate=gate, up=up)
    same_shape(gate=gate, up=up)
    out = buffer("out", out, gate)
    parts = [rows("gate", gate), rows("up", up), rows("out", out)]
    if out.numel():
        count, columns = parts[0].shape
        tuning = choose(count, columns)
        strides = (part.stride(0) for part in parts)
        swiglu_kernel[(count, -(-columns // tuning.constants["block"]))](
            *(*parts, *strides, columns), **tuning.options()
        )
    return out
