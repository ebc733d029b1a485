"""The gradient of SwiGLU.

For ``y = g s(g) u`` with ``s(g) = 1 / (1 + exp(-g))`` and dy, the derivative of what is minimised by y:
``dg = dy u s (1 + g (1 - s))`` and ``du = dy g s``, element by element.

Source: Shazeer 2020, arXiv:2002.05202, derived; as in Liger-Kernel, arXiv:2410.10989, s is computed again
rather than kept. The mathematics is float32 whatever the elements are.

A NaN in dy or g makes both NaN, one in u only dg. An infinite g makes dg NaN; du is an infinity with the
sign of dy where g is infinity, and NaN where it is minus infinity, as the formulas say. No other element is
touched.
"""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from pv_kernels.language import jit
from pv_kernels.operands import buffer, rows, same, same_shape
from pv_kernels.tuning import Tuning

__all__ = ["SPACE", "choose", "swiglu_backward", "swiglu_backward_kernel"]

SPACE = (Tuning({"block": 256}, warps=1), Tuning({"block": 2048}, warps=4))


@jit
def swiglu_backward_kernel(
    dy_ptr: tl.tensor,  # [rows, columns]
    gate_ptr: tl.tensor,  # [rows, columns]
    up_ptr: tl.tensor,  # [rows, columns]
    dgate_ptr: tl.tensor,  # [rows, columns]
    dup_ptr: tl.tensor,  # [rows, columns]
    dy_stride: tl.tensor,
    gate_stride: tl.tensor,
    up_stride: tl.tensor,
    dgate_stride: tl.tensor,
    dup_stride: tl.tensor,
    columns: tl.tensor,
    block: tl.constexpr,
) -> None:
    """Compute one block of one row a program; all is read before any is written."""
    row = tl.program_id(0).to(tl.int64)  # rows times stride may pass 2^31
    offsets = tl.program_id(1) * block + tl.arange(0, block)
    mask = offsets < columns
    dy = tl.load(dy_ptr + row * dy_stride + offsets, mask=mask, other=0.0).to(tl.float32)
    gate = tl.load(gate_ptr + row * gate_stride + offsets, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + offsets, mask=mask, other=0.0).to(tl.float32)
    sigmoid = tl.sigmoid(gate)
    dgate = dy * up * sigmoid * (1.0 + gate * (1.0 - sigmoid))
    dup = dy * gate * sigmoid
    tl.store(dgate_ptr + row * dgate_stride + offsets, dgate.to(dgate_ptr.dtype.element_ty), mask=mask)
    tl.store(dup_ptr + row * dup_stride + offsets, dup.to(dup_ptr.dtype.element_ty), mask=mask)


def choose(row_count: int, columns: int) -> Tuning:
    """Return small blocks for few rows, so that more programs run."""
    return SPACE[row_count * columns > 1 << 16]


def swiglu_backward(
    dy: Tensor, gate: Tensor, up: Tensor, *, dgate: Tensor | None = None, dup: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the gradients of `gate` and `up`.

    Parameters
    ----------
    dy
        ``[..., columns]``: the gradient of ``swiglu(gate, up)``.
    gate, up
        What it was computed of, of the same shape and type.
    dgate, dup
        Where to write the results; `dy`, `gate` and `up` themselves are allowed, each once.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        See `pv_kernels.errors`.
    """
    same(dy=dy, gate=gate, up=up)
    same_shape(dy=dy, gate=gate, up=up)
    dgate, dup = buffer("dgate", dgate, gate), buffer("dup", dup, up)
    named = {"dy": dy, "gate": gate, "up": up, "dgate": dgate, "dup": dup}
    parts = [rows(name, tensor) for name, tensor in named.items()]
    if dy.numel():
        count, columns = parts[0].shape
        tuning = choose(count, columns)
        strides = (part.stride(0) for part in parts)
        swiglu_backward_kernel[(count, -(-columns // tuning.constants["block"]))](
            *(*parts, *strides, columns), **tuning.options()
        )
    return dgate, dup
