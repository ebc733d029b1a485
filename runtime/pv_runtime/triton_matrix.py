"""Matrices that lie on a device, unquantised or as the bytes that a file has, and products with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import torch
from pv_kernels.q4k_gemv import q4k_gemv
from pv_kernels.q6k_gemv import q6k_gemv
from pv_kernels.q8_0_gemv import q8_0_gemv
from torch import Tensor
from torch.nn import functional

__all__ = ["PRODUCTS", "PackedMatrix", "PlainMatrix", "StackedMatrix", "stacked"]

PRODUCTS: dict[str, Callable[..., Tensor]] = {"Q4_K": q4k_gemv, "Q6_K": q6k_gemv, "Q8_0": q8_0_gemv}
"""Block formats that are multiplied as they lie in a file, and by what."""


@dataclasses.dataclass(frozen=True, slots=True)
class PlainMatrix:
    """``[rows, columns]`` in the dtype of the computation."""

    values: Tensor

    @property
    def rows(self) -> int:
        """How many values a product has."""
        return len(self.values)

    @property
    def nbytes(self) -> int:
        """What is read for a product."""
        return self.values.nbytes

    def multiply(self, x: Tensor, out: Tensor | None) -> Tensor:
        """Return x Wᵀ, ``[..., rows]``, in `out` where there is one."""
        if out is None:
            return functional.linear(x, self.values)
        if out.is_contiguous():
            torch.mm(x.flatten(0, -2), self.values.T, out=out.flatten(0, -2))
        else:
            out.copy_(functional.linear(x, self.values))
        return out


@dataclasses.dataclass(frozen=True, slots=True)
class PackedMatrix:
    """Rows of whole blocks, uint8 ``[rows, row bytes]``, in one of the formats of `PRODUCTS`."""

    form: str
    packed: Tensor

    @property
    def rows(self) -> int:
        """How many values a product has."""
        return len(self.packed)

    @property
    def nbytes(self) -> int:
        """What is read for a product."""
        return self.packed.nbytes

    def multiply(self, x: Tensor, out: Tensor | None) -> Tensor:
        """Return x Wᵀ, ``[..., rows]``, in `out` where there is one."""
        return PRODUCTS[self.form](self.packed, x, out=out)


@dataclasses.dataclass(frozen=True, slots=True)
class StackedMatrix:
    """Matrices below each other that are multiplied at once: one launch for neighbours of one format."""

    parts: tuple[PlainMatrix | PackedMatrix, ...]

    @property
    def rows(self) -> int:
        """How many values a product has."""
        return sum(part.rows for part in self.parts)

    @property
    def nbytes(self) -> int:
        """What is read for a product."""
        return sum(part.nbytes for part in self.parts)

    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """Multiply ``[..., columns]``.

        Parameters
        ----------
        x
            Of the dtype of the computation.
        out
            Where to write the result; a new tensor by default.

        Returns
        -------
        Tensor
            ``[..., rows]``, in the dtype of `x`.
        """
        if len(self.parts) == 1:
            return self.parts[0].multiply(x, out)
        if out is None:
            out = x.new_empty((*x.shape[:-1], self.rows))
        for part, place in zip(
            self.parts, torch.split(out, [part.rows for part in self.parts], dim=-1), strict=True
        ):
            part.multiply(x, place)
        return out


def stacked(parts: Iterable[PlainMatrix | PackedMatrix]) -> StackedMatrix:
    """Put matrices below each other; neighbours of one format become one matrix."""
    found: list[PlainMatrix | PackedMatrix] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, PlainMatrix) and isinstance(last, PlainMatrix):
            found[-1] = PlainMatrix(torch.cat([last.values, part.values]))
        elif isinstance(part, PackedMatrix) and isinstance(last, PackedMatrix) and last.form == part.form:
            found[-1] = PackedMatrix(part.form, torch.cat([last.packed, part.packed]))
        else:
            found.append(part)
    return StackedMatrix(tuple(found))
