"""Every planted defect on one small sample; the contract runs the whole check under each."""

from __future__ import annotations

import inspect

import pytest
import torch
from pv_kernels.checks.quantised_gemv import Call, products
from pv_kernels.interpreter import Launch
from pv_kernels.registry import KERNELS
from pv_kernels.specs.samples import used

IN_EVERY_FORMAT = ("one_block_skipped", "last_row_of_the_tile_before")
MISREAD = {
    "q4k_gemv": (
        *IN_EVERY_FORMAT,
        "nibbles_swapped",
        "high_bits_of_scales_dropped",
        "minimum_not_subtracted",
        "d_and_dmin_exchanged",
    ),
    "q6k_gemv": (*IN_EVERY_FORMAT, "high_bits_of_codes_dropped", "scales_without_sign"),
    "q8_0_gemv": (*IN_EVERY_FORMAT, "codes_without_sign"),
}
ELSEWHERE = {"tokens_mixed", "kernel_refuses_nothing", "changing_from_run_to_run", "nan_hidden"}
"""Seen where there are NaN, errors or two runs."""


def damaged(kernel: str, name: str) -> Call:
    damage = products.counter_examples[name].damage
    named = {"spec": f"pv_kernels.specs.{kernel}:{kernel.upper()}"}
    extra = named if "spec" in inspect.signature(damage).parameters else {}
    call: Call = damage(KERNELS[kernel].call, **extra)
    return call


def part_used(kernel: str, call: Call, sample: str) -> float:
    spec = KERNELS[kernel]
    case = next(case for case in (*spec.cases, *spec.special) if case.name == sample)
    arguments = case.arguments(torch.bfloat16)
    expected = spec.expected(arguments)
    return used((call(**arguments),), expected, spec.tolerance(arguments, expected))


@pytest.mark.parametrize(
    ("kernel", "name"), [(kernel, name) for kernel in MISREAD for name in MISREAD[kernel]]
)
def test_a_misread_layout_is_beyond_the_bound_of_rounding(
    launches: list[Launch], kernel: str, name: str
) -> None:
    assert part_used(kernel, damaged(kernel, name), "odd") > 100
    assert launches


@pytest.mark.parametrize("name", ["tokens_mixed", "nan_hidden"])
def test_a_nan_in_the_wrong_place_is_seen(launches: list[Launch], name: str) -> None:
    assert part_used("q8_0_gemv", KERNELS["q8_0_gemv"].call, "nan") <= 1
    assert part_used("q8_0_gemv", damaged("q8_0_gemv", name), "nan") == float("inf")
    assert launches


def test_every_counter_example_is_tried_here_or_by_the_checks_of_all_kernels() -> None:
    tried = {name for names in MISREAD.values() for name in names}
    assert tried | ELSEWHERE == set(products.counter_examples)
