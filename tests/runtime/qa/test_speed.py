from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.bench import ParityError
from pv_runtime.model import Decoder
from pv_runtime.qa.gate import DeclinedError, Settings
from pv_runtime.qa.speed import (
    band,
    gpu_speedup,
    ollama_parity,
    performance_regression,
    regressed,
    throughput,
)
from pv_runtime.qa.subject import Subject
from torch import Tensor


def test_the_rate_is_held_against_what_was_asked_for(models: Path) -> None:
    subject = Subject(str(models / "tiny-qwen2"))
    quick = Settings(new_tokens=4, iterations=1, least_rate=0.001)
    found = throughput(subject, quick)
    assert found.passed
    assert found.value == subject.rates["cpu"]
    assert not throughput(subject, Settings(least_rate=1e12)).passed
    subject.rates["cpu"] = 50.0  # as on a machine that decodes so many
    assert throughput(subject, Settings(least_rate=50.0)).passed
    assert not throughput(subject, Settings(least_rate=50.1)).passed


def test_without_a_floor_there_is_nothing_to_hold_it_against(models: Path) -> None:
    with pytest.raises(DeclinedError, match="--assert-tps"):
        throughput(Subject(str(models / "tiny-qwen2")), Settings())


def test_no_rate_of_what_computes_something_else(models: Path) -> None:
    class Forgetful(Decoder):
        def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
            return q if q.shape[2] == 1 else super().attend(q, k, v, mask)

    subject = Subject(str(models / "tiny-qwen2"))
    subject.decoder = Forgetful(subject.decoder.weights)
    with pytest.raises(ParityError):
        throughput(subject, Settings(new_tokens=4, iterations=1, least_rate=0.001))


@pytest.mark.parametrize(
    ("name", "before", "now", "fell"),
    [
        ("throughput", 409.6, 367.8, False),
        ("throughput", 400.0, 180.0, True),
        ("throughput", 400.0, 300.0, False),
        ("throughput", 400.0, 299.9, True),
        ("gpu_speedup", 1.37, 1.20, True),
        ("gpu_speedup", 1.37, 1.25, False),
        ("throughput", 100.0, float("nan"), True),
    ],
)
def test_rates_may_fall_by_a_quarter_and_ratios_by_a_tenth(
    name: str, before: float, now: float, fell: bool
) -> None:
    assert regressed(name, before, now, 0.10) is fell
    found = performance_regression({name: now}, Settings(previous={name: before}))
    assert found.passed is not fell


@given(st.floats(0, 0.99))
def test_the_band_of_rates_is_never_narrower(regression: float) -> None:
    assert band("throughput", regression) >= max(0.25, regression)
    assert band("gpu_speedup", regression) == regression


def test_without_an_earlier_report_or_a_common_value_it_is_declined() -> None:
    with pytest.raises(DeclinedError, match="no earlier report"):
        performance_regression({"throughput": 1.0}, Settings())
    with pytest.raises(DeclinedError, match="no speed is in this report"):
        performance_regression({"golden_output": 1.0}, Settings(previous={"throughput": 1.0}))


def test_one_fall_among_several_fails() -> None:
    earlier = {"throughput": 100.0, "gpu_speedup": 4.0}
    assert performance_regression({"throughput": 90.0, "gpu_speedup": 3.9}, Settings(previous=earlier)).passed
    found = performance_regression({"throughput": 90.0, "gpu_speedup": 3.0}, Settings(previous=earlier))
    assert not found.passed
    assert (found.value, found.threshold) == (0.25, 0.10)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_what_is_missing_is_said(models: Path) -> None:
    subject = Subject(str(models / "tiny-qwen2"))
    with pytest.raises(DeclinedError, match="no GPU"):
        gpu_speedup(subject, Settings())
    with pytest.raises(DeclinedError, match="Ollama"):
        ollama_parity(subject, Settings())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_measured_beside_the_processor(models: Path) -> None:
    subject = Subject(str(models / "tiny-qwen2"))
    found = gpu_speedup(subject, Settings(new_tokens=8, iterations=2))
    assert found.value == subject.rates["cuda"] / subject.rates["cpu"]
