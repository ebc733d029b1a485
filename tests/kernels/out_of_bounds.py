"""Run as a program: every kernel with all of its tensors against pages that kill whoever touches them.

With the argument `planted` it runs a kernel whose mask is dropped instead.
"""

from __future__ import annotations

import sys

import torch
import triton.language as tl
from pv_kernels.interpreter import interpreting
from pv_kernels.language import jit
from pv_kernels.registry import KERNELS
from pv_kernels.specs.samples import used
from torch import Tensor

from tests.kernels.memory import against_guard


@jit
def without_mask(x_ptr: tl.tensor, block: tl.constexpr) -> None:
    """Read a block, however long the row is."""
    tl.store(x_ptr, tl.sum(tl.load(x_ptr + tl.arange(0, block)), axis=0))


def run(*, end: bool) -> int:
    """Run every kernel once for each type, and return how often."""
    count = 0
    for spec in KERNELS.values():
        case = next(case for case in spec.cases if case.name == "odd")
        for dtype in spec.dtypes:
            plain = case.arguments(dtype)
            expected = spec.expected(plain)
            arguments = {
                name: against_guard(value, end=end) if isinstance(value, Tensor) else value
                for name, value in plain.items()
            }
            outputs = {
                name: against_guard(torch.zeros(result.shape, dtype=result_type), end=end)
                for name, result, result_type in zip(
                    spec.outputs, expected, spec.result_types(dtype), strict=True
                )
            }
            results = spec.run({**arguments, **outputs})
            assert used(results, expected, spec.tolerance(plain, expected)) <= 1
            count += 1
    return count


if __name__ == "__main__":
    with interpreting():
        if sys.argv[1:] == ["planted"]:
            without_mask[(1,)](against_guard(torch.zeros(3), end=True), block=4)
        print(run(end=True) + run(end=False))
