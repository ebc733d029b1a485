"""What the products with quantised matrices share: which operands fit, and how they are launched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError
from pv_kernels.operands import buffer, overlap, rows, same
from pv_kernels.tuning import Tuning

__all__ = ["BlockFormat", "choose", "multiply"]


@dataclass(frozen=True)
class BlockFormat:
    """How a format packs a row.

    Parameters
    ----------
    name
        As GGUF has it.
    weights, bytes
        Of one block.
    alignment
        Bytes that the greatest load inside of a block needs its address to be divisible by.
    """

    name: str
    weights: int
    bytes: int
    alignment: int

    def row_bytes(self, columns: int) -> int:
        """Return the bytes of a row of `columns` weights.

        Raises
        ------
        ShapeError
            The last block would not be whole.
        """
        if columns % self.weights:
            raise ShapeError(
                f"x has {columns} columns; {self.name} has blocks of {self.weights}, wanted is a multiple"
            )
        return columns // self.weights * self.bytes


def choose(space: tuple[Tuning, ...], tokens: int) -> Tuning:
    """Return the first point whose tile holds all tokens, or that of the widest tile."""
    fitting = (point for point in space if point.constants["token_tile"] >= tokens)
    return next(fitting, max(space, key=lambda point: point.constants["token_tile"]))


def multiply(
    kernel: Any, form: BlockFormat, space: tuple[Tuning, ...], weight: Tensor, x: Tensor, out: Tensor | None
) -> Tensor:
    """Check the operands, launch `kernel` once, and return ``[..., rows]``.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        See `pv_kernels.errors`.
    """
    dtype = same(x=x)
    flat = rows("x", x)
    _check_weight(form, weight, x)
    out = buffer("out", out, torch.empty((*x.shape[:-1], weight.shape[0]), dtype=dtype, device=x.device))
    if overlap(out, x):
        raise LayoutError("out shares memory with x, which is read until the end; give another buffer")
    flat_out = rows("out", out)
    if out.numel():
        tuning = choose(space, flat.shape[0])
        row_tiles = -(-weight.shape[0] // tuning.constants["row_tile"])
        token_tiles = -(-flat.shape[0] // tuning.constants["token_tile"])
        kernel[(row_tiles * token_tiles,)](
            *(weight, flat, flat_out),
            # In units of the alignment, so that the kernel's code shows what a row's address is divisible by.
            weight.stride(0) // form.alignment,
            *(flat.stride(0), flat_out.stride(0)),
            *(weight.shape[0], flat.shape[0], x.shape[-1] // form.weights),
            **tuning.options(),
        )
    return out


def _check_weight(form: BlockFormat, weight: Tensor, x: Tensor) -> None:
    if weight.dtype != torch.uint8:
        raise UnknownDtypeError(f"weight is {weight.dtype}; wanted are the bytes of {form.name}, torch.uint8")
    if weight.device != x.device:
        raise LayoutError(f"weight is on {weight.device} and x on {x.device}; move one")
    wanted = form.row_bytes(x.shape[-1])
    if weight.ndim != 2 or weight.shape[1] != wanted:
        raise ShapeError(
            f"weight is {list(weight.shape)}; wanted is [rows, {wanted}], {form.bytes} bytes for each"
            f" {form.weights} of the {x.shape[-1]} columns of x"
        )
    if wanted > 1 and weight.stride(1) != 1:
        raise LayoutError(
            f"weight: bytes of a row lie {weight.stride(1)} apart; call .contiguous() on it first"
        )
    if wanted and (
        weight.data_ptr() % form.alignment or (len(weight) > 1 and weight.stride(0) % form.alignment)
    ):
        raise LayoutError(
            f"weight begins at {weight.data_ptr() % 16} modulo 16 and its rows are {weight.stride(0)} bytes"
            f" apart; {form.name} is read at multiples of {form.alignment}, clone the weight"
        )
