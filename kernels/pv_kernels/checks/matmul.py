"""What the product with a matrix computes; the defects are those that a writer of the kernel could make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

import pv_kernels.matmul
from pv.check import Metric, Run, check
from pv_kernels.checks.alteration import altered
from pv_kernels.checks.values import (
    last_row_not_computed,
    nan_passed_over,
    not_deterministic,
    nothing_refused,
    off_by_a_unit,
    parity,
    tail_not_computed,
)

__all__ = ["multiplies"]

Call = Callable[..., Any]
_ROOM = 512
"""Elements behind a row, more than the widest tile has columns."""


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("error_over_bound", unit="1", low=0.0),
        Metric("differing_runs", unit="1", kind="count"),
        Metric("error_cases", unit="1", kind="count"),
        Metric("refused", unit="1", kind="count"),
        Metric("properties", unit="1", kind="count"),
        Metric("property_over_bound", unit="1", low=0.0),
        Metric("backend", unit="1", kind="text"),
    ]
)
def multiplies(run: Run, *, spec: str) -> None:
    """Measure what `pv_kernels.checks.values:parity` does of the product with a matrix."""
    parity.function(run, spec=spec)


@multiplies.counter_example("last_outputs_not_computed", of="call")
def last_outputs_not_computed(call: Call) -> Call:
    """Leave zeros behind the last whole vector of 16 outputs: invisible where outputs are divisible."""
    return tail_not_computed(call)


@multiplies.counter_example("one_program_too_few", of="call")
def one_program_too_few(call: Call) -> Call:
    """Leave the last row as zeros."""
    return last_row_not_computed(call)


@multiplies.counter_example("truncated", of="call")
def truncated(call: Call) -> Call:
    """Move results towards zero by three quarters of a unit in the last place, as truncating does."""
    return off_by_a_unit(call)


@multiplies.counter_example("kernel_refuses_nothing", of="call")
def kernel_refuses_nothing(call: Call) -> Call:
    """Return something whatever the arguments are."""
    return nothing_refused(call)


@multiplies.counter_example("changing_from_run_to_run", of="call")
def changing_from_run_to_run(call: Call) -> Call:
    """Change the lowest bit of the first element at every second call, within the bound."""
    return not_deterministic(call)


@multiplies.counter_example("nan_hidden", of="call")
def nan_hidden(call: Call) -> Call:
    """Write zeros where there should be NaN."""
    return nan_passed_over(call)


def _replacing(call: Call, changes: Mapping[str, str]) -> Call:
    """Return the wrapper of a copy of the module with `changes` made; what must be refused still is.

    It writes into NaN: memory that was freed may hold the right answer of the call before.
    """
    wrong: Call = altered(pv_kernels.matmul, changes)["matmul"]

    def replaced(x: Tensor, weight: Tensor, **others: Any) -> Tensor:
        right: Tensor = call(x=x, weight=weight, **others)
        result: Tensor = wrong(x=x, weight=weight, out=torch.full_like(right, float("nan")))
        return result

    return replaced


@multiplies.counter_example("column_mask_dropped", of="call")
def column_mask_dropped(call: Call) -> Call:
    """Read on behind the end of rows, where something lies: right where rows are whole tiles."""
    wrong = _replacing(call, {"column < columns - start": f"column < columns + {_ROOM}"})

    def roomy(part: Tensor) -> Tensor:
        columns = part.shape[-1]
        return torch.nn.functional.pad(part, (0, _ROOM), value=1.0)[..., :columns]

    def reading_on(x: Tensor, weight: Tensor, **others: Any) -> Any:
        call(x=x, weight=weight, **others)
        return wrong(x=roomy(x), weight=roomy(weight), **others)

    return reading_on


@multiplies.counter_example("ones_behind_the_mask", of="call")
def ones_behind_the_mask(call: Call) -> Call:
    """Let loads put ones behind the mask instead of zeros: each column that is not there adds one."""
    return _replacing(call, {"other=0.0": "other=1.0"})


@multiplies.counter_example("summed_in_the_elements_type", of="call")
def summed_in_the_elements_type(call: Call) -> Call:
    """Round the sum to the elements' type after every tile: right in float32, and for few columns."""
    element = "out_ptr.dtype.element_ty"
    rounded = f"total = (total + product(x, weight, upcast)).to({element}).to(tl.float32)"
    return _replacing(call, {"total += product(x, weight, upcast)": rounded})


@multiplies.counter_example("elements_cut_to_tf32", of="call")
def elements_cut_to_tf32(call: Call) -> Call:
    """Leave the low 13 bits of float32 out, as tf32 does: right for elements of 16 bits."""

    def cut(part: Tensor) -> Tensor:
        if part.dtype != torch.float32:
            return part
        return (part.contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32)

    def less(x: Tensor, weight: Tensor, **others: Any) -> Any:
        call(x=x, weight=weight, **others)
        return call(x=cut(x), weight=cut(weight), **others)

    return less


@multiplies.counter_example("stride_of_the_other_side", of="call")
def stride_of_the_other_side(call: Call) -> Call:
    """Step through the matrix by the stride of x: right where both are as far apart."""
    return _replacing(call, {"[None, :] * weight_stride": "[None, :] * tl.minimum(x_stride, weight_stride)"})


@multiplies.counter_example("last_columns_skipped", of="call")
def last_columns_skipped(call: Call) -> Call:
    """End the loop with the last whole tile: right where rows are whole tiles."""
    whole = "range(0, columns // column_tile * column_tile, column_tile)"
    return _replacing(call, {"range(0, columns, column_tile)": whole})


@multiplies.counter_example("last_group_too_high", of="call")
def last_group_too_high(call: Call) -> Call:
    """Take the last group of programs to be as high as the others: some of its tiles are left out."""
    lowered = "min(row_tiles - first, group)"
    return _replacing(call, {lowered: "group"})


@multiplies.counter_example("rows_mixed", of="call")
def rows_mixed(call: Call) -> Call:
    """Let a NaN or an infinity of one row reach the others: add zero times their sum."""

    def mixed(x: Tensor, weight: Tensor, **others: Any) -> Any:
        return call(x=x, weight=weight, **others) + 0 * x.sum().to(x.dtype)

    return mixed
