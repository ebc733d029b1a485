from __future__ import annotations

import pv_kernels.decode_attention
import pytest
import torch
from pv_kernels.checks.alteration import altered
from pv_kernels.interpreter import Launch
from pv_kernels.specs.decode_attention import DECODE_ATTENTION
from pv_kernels.specs.samples import used

SCALED = "upcast) * scale"


def test_the_text_that_runs_is_the_altered_one(launches: list[Launch]) -> None:
    names = altered(pv_kernels.decode_attention, {SCALED: "upcast) * 0.0"})
    arguments = DECODE_ATTENTION.cases[0].arguments(torch.float32)
    expected = DECODE_ATTENTION.expected(arguments)
    allowed = DECODE_ATTENTION.tolerance(arguments, expected)
    assert used((names["decode_attention"](**arguments),), expected, allowed) > 1
    assert used((pv_kernels.decode_attention.decode_attention(**arguments),), expected, allowed) <= 1
    assert len(launches) == 4


def test_a_change_that_changes_nothing_is_an_error() -> None:
    with pytest.raises(LookupError, match="has no 'no such text'"):
        altered(pv_kernels.decode_attention, {SCALED: "upcast)", "no such text": ""})
