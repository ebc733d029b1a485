"""What gradients are; the defects are those of who derives a formula by hand, or sums over rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pv_kernels.rmsnorm_backward
import pv_kernels.rope
import pv_kernels.swiglu_backward
from pv.check import Metric, Run, check
from pv_kernels.checks.alteration import altered
from pv_kernels.checks.values import (
    nan_passed_over,
    not_deterministic,
    nothing_refused,
    off_by_a_unit,
    parity,
)

__all__ = ["gradients"]

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
def gradients(run: Run, *, spec: str) -> None:
    """Measure what `pv_kernels.checks.values:parity` does, of a kernel that goes back."""
    parity.function(run, spec=spec)


def _rms_norm(changes: dict[str, str]) -> Call:
    call: Call = altered(pv_kernels.rmsnorm_backward, changes)["rms_norm_backward"]
    return call


def _swiglu(changes: dict[str, str]) -> Call:
    call: Call = altered(pv_kernels.swiglu_backward, changes)["swiglu_backward"]
    return call


@gradients.counter_example("norm_held_constant", of="call")
def norm_held_constant(_call: Call) -> Call:
    """RMSNorm: differentiate as if the norm did not depend on x."""
    return _rms_norm({"(slope - normal * along)": "slope"})


@gradients.counter_example("mean_of_the_block", of="call")
def mean_of_the_block(_call: Call) -> Call:
    """RMSNorm: divide the sum along x by the length of the block, right where that is the row's."""
    return _rms_norm({"tl.sum(slope * normal, axis=0) / columns": "tl.sum(slope * normal, axis=0) / block"})


@gradients.counter_example("weight_left_out", of="call")
def weight_left_out(_call: Call) -> Call:
    """RMSNorm: project dy itself, which a weight of ones does not show."""
    return _rms_norm({"tl.sum(slope * normal, axis=0)": "tl.sum(dy * normal, axis=0)"})


@gradients.counter_example("weight_by_its_own_gradient", of="call")
def weight_by_its_own_gradient(_call: Call) -> Call:
    """RMSNorm: sum dy w x r for the weight, once too often by w."""
    return _rms_norm({"sums += dy * normal": "sums += slope * normal"})


@gradients.counter_example("last_row_of_a_program_only", of="call")
def last_row_of_a_program_only(_call: Call) -> Call:
    """RMSNorm: forget the weights' gradient of earlier rows: right where a program has one."""
    return _rms_norm({"sums += dy * normal": "sums = dy * normal"})


@gradients.counter_example("first_program_only", of="call")
def first_program_only(_call: Call) -> Call:
    """RMSNorm: return the sum of one program as that of all."""
    return _rms_norm({"mask = (row < parts)[:, None]": "mask = (row < 1)[:, None]"})


@gradients.counter_example("one_row_less", of="call")
def one_row_less(_call: Call) -> Call:
    """RMSNorm: let the last row of all be nobody's."""
    return _rms_norm({"range(0, row_count - tl.program_id(0)": "range(0, row_count - 1 - tl.program_id(0)"})


@gradients.counter_example("gate_and_up_exchanged", of="call")
def gate_and_up_exchanged(_call: Call) -> Call:
    """SwiGLU: return the gradient of the one as that of the other."""
    return _swiglu({"return dgate, dup": "return dup, dgate"})


@gradients.counter_example("sigmoid_held_constant", of="call")
def sigmoid_held_constant(_call: Call) -> Call:
    """SwiGLU: differentiate g s as if s did not depend on g."""
    return _swiglu({" * (1.0 + gate * (1.0 - sigmoid))": ""})


@gradients.counter_example("slope_of_a_sigmoid", of="call")
def slope_of_a_sigmoid(_call: Call) -> Call:
    """SwiGLU: take ``s (1 - s)``, the slope of the sigmoid, for that of g s."""
    return _swiglu({"(1.0 + gate * (1.0 - sigmoid))": "(1.0 - sigmoid)"})


@gradients.counter_example("silu_left_out_of_up", of="call")
def silu_left_out_of_up(_call: Call) -> Call:
    """SwiGLU: gate dy by the sigmoid alone."""
    return _swiglu({"dup = dy * gate * sigmoid": "dup = dy * sigmoid"})


@gradients.counter_example("turned_forth", of="call")
def turned_forth(_call: Call) -> Call:
    """RoPE: turn gradients by the angle itself, as if a rotation were its transpose."""
    call: Call = altered(pv_kernels.rope, {"direction=-1.0": "direction=1.0"})["rope_backward"]
    return call


@gradients.counter_example("turned_back_in_one_half", of="call")
def turned_back_in_one_half(_call: Call) -> Call:
    """RoPE: change one of the two signs: no rotation any more."""
    changes = {"direction=-1.0": "direction=1.0", "(low * cos - high * sin)": "(low * cos + high * sin)"}
    call: Call = altered(pv_kernels.rope, changes)["rope_backward"]
    return call


@gradients.counter_example("one_unit_off", of="call")
def one_unit_off(call: Call) -> Call:
    """Move results towards zero by three quarters of a unit in the last place of their type."""
    return off_by_a_unit(call)


@gradients.counter_example("kernel_refuses_nothing", of="call")
def kernel_refuses_nothing(call: Call) -> Call:
    """Return something whatever the arguments are."""
    return nothing_refused(call)


@gradients.counter_example("changing_from_run_to_run", of="call")
def changing_from_run_to_run(call: Call) -> Call:
    """Change the lowest bit of the first element at every second call, within the bound."""
    return not_deterministic(call)


@gradients.counter_example("nan_hidden", of="call")
def nan_hidden(call: Call) -> Call:
    """Write zeros where there should be NaN."""
    return nan_passed_over(call)
