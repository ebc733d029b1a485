"""The speed of products with unquantised matrices: bound by arithmetic, so that cuBLAS is its measure."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from pv_kernels.peers import formulas
from pv_kernels.peers.compiled import eager
from pv_kernels.spec import Arguments, Results
from pv_kernels.specs.matmul import MATMUL
from pv_kernels.speed import Size, Speed, SpeedCase
from pv_kernels.speeds.drawing import normal, on_cpu, spread

__all__ = ["MATMUL_SPEED"]


def _parts(arguments: Arguments, results: Results) -> Iterator[tuple[Arguments, Results]]:
    """Take some rows of either side, and the products of those."""
    x, weight, out = arguments["x"], arguments["weight"], results[0]
    rows, outputs = (torch.tensor(spread(len(side)), device=out.device) for side in (x, weight))
    yield on_cpu({"x": x[rows], "weight": weight[outputs]}), (out[rows][:, outputs].cpu(),)


def _case(size: Size, rows: int, outputs: int, columns: int) -> SpeedCase:
    def draw(generator: torch.Generator) -> Arguments:
        return {"x": normal(generator, rows, columns), "weight": normal(generator, outputs, columns)}

    return SpeedCase(f"{rows}x{columns} by {outputs}x{columns}, bfloat16", size, draw, _parts)


MATMUL_SPEED = Speed(
    MATMUL,
    (_case("large", 8192, 18944, 3584), _case("medium", 1024, 3584, 3584)),
    {"cublas": eager(formulas.matmul)},
)
