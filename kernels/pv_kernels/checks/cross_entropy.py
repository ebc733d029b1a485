"""What cross-entropy computes; the defects are those of who writes an online loss, or its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import pv_kernels.cross_entropy
from pv.check import Metric, Run, check, named
from pv_kernels.checks.alteration import altered
from pv_kernels.checks.values import (
    last_row_not_computed,
    nan_passed_over,
    not_deterministic,
    nothing_refused,
    off_by_a_unit,
    parity,
)

__all__ = ["losses"]

Call = Callable[..., Any]


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
def losses(run: Run, *, spec: str) -> None:
    """Measure what `pv_kernels.checks.values:parity` does, of cross-entropy alone or with its gradient."""
    parity.function(run, spec=spec)


def _altered(spec: str, changes: dict[str, str]) -> Call:
    call: Call = altered(pv_kernels.cross_entropy, changes)[named(spec).name]
    return call


@losses.counter_example("sum_not_rescaled", of="call")
def sum_not_rescaled(_call: Call, *, spec: str) -> Call:
    """Keep the sum as it is where a block raises the maximum: right in rows of one block."""
    return _altered(spec, {"total * tl.exp(top - shift) + tl.sum": "total + tl.sum"})


@losses.counter_example("lanes_not_rescaled", of="call")
def lanes_not_rescaled(_call: Call, *, spec: str) -> Call:
    """Add the lanes' sums up as if all had the same maximum."""
    return _altered(spec, {"tl.sum(total * tl.exp(top - shift), axis=0)": "tl.sum(total, axis=0)"})


@losses.counter_example("zeros_behind_the_columns", of="call")
def zeros_behind_the_columns(_call: Call, *, spec: str) -> Call:
    """Load zeros behind the row instead of minus infinity: the sum has terms too many."""
    return _altered(spec, {'other=float("-inf")).to': "other=0.0).to"})


@losses.counter_example("masked_columns_are_nan", of="call")
def masked_columns_are_nan(_call: Call, *, spec: str) -> Call:
    """Subtract the maximum where it is minus infinity: NaN where a lane has seen nothing else."""
    return _altered(spec, {'tl.where(higher == float("-inf"), 0.0, higher)': "higher"})


@losses.counter_example("ignored_rows_count", of="call")
def ignored_rows_count(_call: Call, *, spec: str) -> Call:
    """Know no target to be ignored: a NaN where 0 should be, or the loss of that column."""
    return _altered(spec, {"if target == ignore_index:": "if target == ignore_index + columns + 1:"})


@losses.counter_example("always_ignores_minus_100", of="call")
def always_ignores_minus_100(_call: Call, *, spec: str) -> Call:
    """Compare with torch's default, whatever the caller says is ignored."""
    return _altered(spec, {"if target == ignore_index:": "if target == -100:"})


@losses.counter_example("clamped_target", of="call")
def clamped_target(_call: Call, *, spec: str) -> Call:
    """Take the nearest column for a target that is none: a loss that looks like one."""
    clamped = "target = tl.minimum(tl.maximum(tl.load(targets_ptr + row), 0), columns - 1)"
    at = "    if target == ignore_index:"
    late = at.replace("target ==", "tl.load(targets_ptr + row) ==")
    return _altered(spec, {"target = tl.load(targets_ptr + row)": clamped, at: late})


@losses.counter_example("loss_in_half_precision", of="call")
def loss_in_half_precision(call: Call, *, spec: str) -> Call:
    """Round the loss to the type of the logits on its way."""
    del spec

    def rounded(logits: Tensor, targets: Tensor, **others: Any) -> Any:
        results = call(logits=logits, targets=targets, **others)
        if isinstance(results, Tensor):
            return results.to(logits.dtype).float()
        return results[0].to(logits.dtype).float(), *results[1:]

    return rounded


@losses.counter_example("mean_instead_of_rows", of="call")
def mean_instead_of_rows(call: Call) -> Call:
    """Divide by the number of rows, as who wants their mean."""

    def divided(logits: Tensor, targets: Tensor, **others: Any) -> Any:
        results = call(logits=logits, targets=targets, **others)
        single = isinstance(results, Tensor)
        shared = [result / max(targets.numel(), 1) for result in ((results,) if single else results)]
        return shared[0] if single else tuple(shared)

    return divided


@losses.counter_example("target_not_subtracted", of="call")
def target_not_subtracted(_call: Call, *, spec: str) -> Call:
    """Return shares as the gradient, without the 1 at the target."""
    return _altered(spec, {"tl.where(start + offsets == target, 1.0, 0.0)": "0.0"})


@losses.counter_example("one_subtracted_in_every_block", of="call")
def one_subtracted_in_every_block(_call: Call, *, spec: str) -> Call:
    """Subtract 1 at the target's place in each block: right in rows of one block."""
    return _altered(spec, {"start + offsets == target, 1.0": "offsets == target % block, 1.0"})


@losses.counter_example("upstream_left_out", of="call")
def upstream_left_out(_call: Call, *, spec: str) -> Call:
    """Return the gradient of the loss itself, whatever it counts."""
    return _altered(spec, {"upstream = tl.load(upstream_ptr + row)": "upstream = 1.0"})


@losses.counter_example("gradient_of_ignored_rows_left", of="call")
def gradient_of_ignored_rows_left(call: Call) -> Call:
    """Leave what lies in the buffer where a row is ignored, here its logits."""

    def left(logits: Tensor, targets: Tensor, ignore_index: int = -100, **others: Any) -> Any:
        loss, gradient = call(logits=logits, targets=targets, ignore_index=ignore_index, **others)
        return loss, torch.where((targets == ignore_index)[..., None], logits, gradient)

    return left


@losses.counter_example("last_row_missing", of="call")
def last_row_missing(call: Call) -> Call:
    """Launch one program too few: the last row stays as zeros."""
    return last_row_not_computed(call)


@losses.counter_example("one_unit_off", of="call")
def one_unit_off(call: Call) -> Call:
    """Move results towards zero by three quarters of a unit in the last place of their type."""
    return off_by_a_unit(call)


@losses.counter_example("kernel_refuses_nothing", of="call")
def kernel_refuses_nothing(call: Call) -> Call:
    """Return something whatever the arguments are."""
    return nothing_refused(call)


@losses.counter_example("changing_from_run_to_run", of="call")
def changing_from_run_to_run(call: Call) -> Call:
    """Change the lowest bit of the first element at every second call, within the bound."""
    return not_deterministic(call)


@losses.counter_example("nan_hidden", of="call")
def nan_hidden(call: Call) -> Call:
    """Write zeros where there should be NaN."""
    return nan_passed_over(call)
