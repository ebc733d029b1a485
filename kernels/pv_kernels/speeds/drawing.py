"""Arguments of the size that is timed, drawn where they are needed, and parts of them to compare."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pv_kernels.quantised_gemv import BlockFormat
from pv_kernels.spec import Arguments, Results
from pv_kernels.specs.block_formats import HALVES
from pv_kernels.speed import Parts

__all__ = ["by_rows", "normal", "on_cpu", "quantised", "spread"]

_COMPARED = 16
"""How many rows are compared with the reference."""


def normal(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Draw from a normal distribution on the generator's device."""
    return torch.empty(shape, dtype=dtype, device=generator.device).normal_(generator=generator)


def quantised(generator: torch.Generator, form: BlockFormat, rows: int, columns: int) -> Tensor:
    """Draw bytes ``[rows, bytes]``: every code and scale, and d and dmin of either sign, about 0.01."""
    device = generator.device
    shape = (rows, columns // form.weights, form.bytes)
    blocks = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8, device=device)
    for at in HALVES[form.name]:
        factors = torch.randn(shape[:2], generator=generator, device=device) * 0.01
        blocks[..., at : at + 2] = factors.half()[..., None].view(torch.uint8)
    return blocks.reshape(rows, -1)


def spread(count: int, most: int = _COMPARED) -> list[int]:
    """Return at most `most` of the rows from 0 to `count` - 1: the first, the last, and evenly between."""
    if count <= most:
        return list(range(count))
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})


def on_cpu(arguments: Arguments) -> Arguments:
    """Return `arguments` with their tensors on the CPU."""
    return {name: value.cpu() if isinstance(value, Tensor) else value for name, value in arguments.items()}


def by_rows(*rowwise: str) -> Parts:
    """Return what takes some rows of the arguments `rowwise` and of every result, and others whole."""

    def parts(arguments: Arguments, results: Results) -> Iterator[tuple[Arguments, Results]]:
        rows = torch.tensor(spread(len(arguments[rowwise[0]])), device=results[0].device)
        chosen = {name: arguments[name][rows] for name in rowwise}
        yield on_cpu({**arguments, **chosen}), tuple(result[rows].cpu() for result in results)

    return parts
