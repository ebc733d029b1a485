"""What the checks of kernels record; that the rules catch every defect is in the contracts' evidence."""

from __future__ import annotations

from pathlib import Path

from pv_kernels.checks.compiled import compiled
from pv_kernels.checks.values import parity
from pv_kernels.compilation import CAPABILITIES
from pv_kernels.registry import KERNELS

from pv.check import CounterExample
from tests.runtime.checks.conftest import Recorder


def recorder(folder: Path, example: CounterExample | None = None) -> Recorder:
    return Recorder(roles={}, arguments={}, example=example, folder=str(folder))


def test_parity_records_every_sample_refusal_and_property(tmp_path: Path) -> None:
    run, spec = recorder(tmp_path), KERNELS["swiglu"]
    parity(run, spec="pv_kernels.specs.swiglu:SWIGLU")
    samples = 3 * (len(spec.cases) + len(spec.special))
    assert run.series["cases"] == [samples]
    assert len(run.series["error_over_bound"]) == len(run.series["differing_runs"]) == samples
    assert run.series["refused"] == [1] * len(spec.errors)
    assert run.series["properties"] == [len(run.series["property_over_bound"])] == [10]
    assert 0 < max(run.series["error_over_bound"]) <= 1
    assert run.series["backend"] == ["interpreter"]


def test_a_defect_of_the_code_shows_in_its_own_metric(tmp_path: Path) -> None:
    run = recorder(tmp_path, compiled.counter_examples["scalar_loads"])
    compiled(run, spec="pv_kernels.specs.swiglu:SWIGLU")
    assert run.series["expected_builds"] == [len(run.series["doubles"])] == [3 * 3 * len(CAPABILITIES)]
    assert sum(run.series["missing_wide_loads"]) > 0
    assert sum(run.series["doubles"]) == 0
