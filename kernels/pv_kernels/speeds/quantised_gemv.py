"""The speed of products with quantised matrices, at the shapes of Qwen2.5 7B, one token.

The peer is cuBLAS with the same matrix in bfloat16, which is what a user has who does not keep it quantised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from pv_kernels.q4k_gemv import Q4_K
from pv_kernels.q6k_gemv import Q6_K
from pv_kernels.q8_0_gemv import Q8_0
from pv_kernels.quantised_gemv import BlockFormat
from pv_kernels.spec import Arguments, KernelSpec, Results
from pv_kernels.specs.q4k_gemv import Q4K_GEMV
from pv_kernels.specs.q6k_gemv import Q6K_GEMV
from pv_kernels.specs.q8_0_gemv import Q8_0_GEMV
from pv_kernels.speed import Size, Speed, SpeedCase
from pv_kernels.speeds.drawing import normal, on_cpu, quantised, spread

__all__ = ["Q4K_GEMV_SPEED", "Q6K_GEMV_SPEED", "Q8_0_GEMV_SPEED"]

_SHAPES: dict[Size, tuple[int, int]] = {
    "large": (152064, 3584),  # the LM head
    "medium": (18944, 3584),  # gate and up
    "decode": (3584, 3584),  # q and o: of the latency class
}


def _parts(arguments: Arguments, results: Results) -> Iterator[tuple[Arguments, Results]]:
    """Take some rows of the matrix, and what the token gets from them."""
    rows = torch.tensor(spread(len(arguments["weight"])), device=results[0].device)
    part = {**arguments, "weight": arguments["weight"][rows]}
    yield on_cpu(part), (results[0][..., rows].cpu(),)


def _case(size: Size, form: BlockFormat) -> SpeedCase:
    rows, columns = _SHAPES[size]

    def draw(generator: torch.Generator) -> Arguments:
        return {"weight": quantised(generator, form, rows, columns), "x": normal(generator, 1, columns)}

    return SpeedCase(f"{rows}x{columns} {form.name}, 1 token of bfloat16", size, draw, _parts)


def cublas(arguments: Arguments) -> Callable[[], Any]:
    """Multiply by a matrix of the same shape in the type of x; its numbers are not those of the bytes."""
    x = arguments["x"]
    weight = torch.zeros(len(arguments["weight"]), x.shape[-1], dtype=x.dtype, device=x.device)
    return lambda: x @ weight.T


def _speed(spec: KernelSpec, form: BlockFormat) -> Speed:
    return Speed(spec, tuple(_case(size, form) for size in _SHAPES), {"cublas": cublas})


Q4K_GEMV_SPEED = _speed(Q4K_GEMV, Q4_K)
Q6K_GEMV_SPEED = _speed(Q6K_GEMV, Q6_K)
Q8_0_GEMV_SPEED = _speed(Q8_0_GEMV, Q8_0)
