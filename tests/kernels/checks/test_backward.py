"""Every planted defect of a gradient on one small sample; the contract runs the whole check under each."""

from __future__ import annotations

import pytest
import torch
from pv_kernels.checks.backward import Call, gradients
from pv_kernels.interpreter import Launch
from pv_kernels.registry import KERNELS
from pv_kernels.specs.samples import used

PLANTED = {
    "norm_held_constant": ("rms_norm_backward", "weird"),
    "mean_of_the_block": ("rms_norm_backward", "weird"),
    "weight_left_out": ("rms_norm_backward", "weird"),
    "weight_by_its_own_gradient": ("rms_norm_backward", "weird"),
    "last_row_of_a_program_only": ("rms_norm_backward", "several_programs"),
    "first_program_only": ("rms_norm_backward", "several_programs"),
    "one_row_less": ("rms_norm_backward", "weird"),
    "gate_and_up_exchanged": ("swiglu_backward", "weird"),
    "sigmoid_held_constant": ("swiglu_backward", "weird"),
    "slope_of_a_sigmoid": ("swiglu_backward", "weird"),
    "silu_left_out_of_up": ("swiglu_backward", "weird"),
    "turned_forth": ("rope_backward", "weird"),
    "turned_back_in_one_half": ("rope_backward", "weird"),
    "nan_hidden": ("rms_norm_backward", "nan"),
}
ELSEWHERE = {"one_unit_off", "kernel_refuses_nothing", "changing_from_run_to_run"}
"""Seen in float32, where there are errors, or two runs."""


def part_used(kernel: str, call: Call, sample: str) -> float:
    spec = KERNELS[kernel]
    case = next(case for case in (*spec.cases, *spec.special) if case.name == sample)
    arguments = case.arguments(torch.bfloat16)
    expected = spec.expected(arguments)
    return used(tuple(call(**arguments)), expected, spec.tolerance(arguments, expected))


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_is_beyond_the_bound_of_rounding(launches: list[Launch], name: str) -> None:
    kernel, sample = PLANTED[name]
    call = KERNELS[kernel].call
    assert part_used(kernel, gradients.counter_examples[name].damage(call), sample) > 5
    assert part_used(kernel, call, sample) <= 1
    assert launches


def test_every_counter_example_is_tried_here_or_by_the_checks_of_all_kernels() -> None:
    assert {*PLANTED} | ELSEWHERE == set(gradients.counter_examples)
