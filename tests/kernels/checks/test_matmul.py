"""Every planted defect of matmul on one small sample; the contract runs the whole check under each."""

from __future__ import annotations

import pytest
import torch
from pv_kernels.checks.matmul import Call, multiplies
from pv_kernels.interpreter import Launch
from pv_kernels.specs.matmul import MATMUL
from pv_kernels.specs.samples import used

SEEN = {
    "last_outputs_not_computed": ("odd", torch.bfloat16),
    "one_program_too_few": ("odd", torch.bfloat16),
    "truncated": ("odd", torch.bfloat16),
    "column_mask_dropped": ("odd", torch.bfloat16),
    "ones_behind_the_mask": ("odd", torch.bfloat16),
    "summed_in_the_elements_type": ("qwen2_5_0_5b_many", torch.bfloat16),
    "elements_cut_to_tf32": ("odd", torch.float32),
    "stride_of_the_other_side": ("columns_of_a_matrix", torch.bfloat16),
    "last_columns_skipped": ("odd", torch.bfloat16),
    "last_group_too_high": ("last_group_short", torch.bfloat16),
    "rows_mixed": ("nan_in_x", torch.bfloat16),
    "nan_hidden": ("nan_in_x", torch.bfloat16),
}
ELSEWHERE = {"kernel_refuses_nothing", "changing_from_run_to_run"}
"""Seen where there are errors or two runs."""


def part_used(call: Call, sample: str, dtype: torch.dtype) -> float:
    case = next(case for case in (*MATMUL.cases, *MATMUL.special) if case.name == sample)
    arguments = case.arguments(dtype)
    expected = MATMUL.expected(arguments)
    return used((call(**arguments),), expected, MATMUL.tolerance(arguments, expected))


@pytest.mark.kernel
@pytest.mark.parametrize("name", SEEN)
def test_a_mistake_is_beyond_the_bound_of_rounding(launches: list[Launch], name: str) -> None:
    sample, dtype = SEEN[name]
    damaged: Call = multiplies.counter_examples[name].damage(MATMUL.call)
    assert part_used(MATMUL.call, sample, dtype) <= 1 < part_used(damaged, sample, dtype)
    assert launches


def test_every_counter_example_is_tried_here_or_by_the_checks_of_all_kernels() -> None:
    assert set(SEEN) | ELSEWHERE == set(multiplies.counter_examples)
