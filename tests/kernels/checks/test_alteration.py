from __future__ import annotations

import pv_kernels.decode_attention
import pytest
import torch
from pv_kernels.checks.alteration import altered
from pv_kernels.interpreter import interpreting
from pv_kernels.specs.decode_attention import DECODE_ATTENTION

SCALED = "upcast) * scale"


def test_the_text_that_runs_is_the_altered_one() -> None:
    """Without a scale the answer is the mean of the values; without effect it is the same."""
    without = altered(pv_kernels.decode_attention, {SCALED: "upcast) * 0.0"})["decode_attention"]
    alike = altered(pv_kernels.decode_attention, {SCALED: "upcast) * (scale)"})["decode_attention"]
    arguments = next(c for c in DECODE_ATTENTION.cases if c.name == "ratio_one").arguments(torch.float32)
    with interpreting() as launches:
        ours = pv_kernels.decode_attention.decode_attention(**arguments)
        assert torch.equal(alike(**arguments), ours)
        mean = arguments["v"][:, :, : int(arguments["lengths"][0])].mean(2)
        torch.testing.assert_close(without(**arguments), mean)
        assert not torch.allclose(ours, mean)
    assert len(launches) == 6


def test_a_change_that_changes_nothing_is_an_error() -> None:
    with pytest.raises(LookupError, match="has no 'no such text'"):
        altered(pv_kernels.decode_attention, {SCALED: "upcast)", "no such text": ""})
