"""The checks of speed on a simulated GPU, judged by the rules of the contract."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from pv_kernels.bench import NoGpuError
from pv_kernels.checks import beside_compiled as beside
from pv_kernels.checks import speed as speeds
from pv_kernels.checks.procedure import procedure
from pv_kernels.hardware import Monitor
from pv_kernels.measuring import measure_peers
from pv_kernels.nvml import Clocks
from pv_kernels.simulated_gpu import SimulatedTimer

from pv.check import Check, Value
from pv.expression.values import series_of
from pv.verdict import judge
from tests.kernels.checks import simulated_speed
from tests.runtime.checks.conftest import Recorder

NAME = "tests.kernels.checks.simulated_speed:SPEED"
CONTRACT = Path(__file__).resolve().parents[3] / "contracts/kernel-roofline-v1.yaml"
SWIGLU = {"large": 8, "medium": 9, "decode": 10}
"""Class → the number of SwiGLU's claim."""


@dataclasses.dataclass
class Labelled(Recorder):
    """A run that keeps labels, as rules pair samples by them."""

    pairs: dict[str, list[tuple[Value, str | None]]] = dataclasses.field(default_factory=dict)

    def record(self, name: str, value: Value, *, label: str | None = None) -> None:
        super().record(name, value, label=label)
        self.pairs.setdefault(name, []).append((value, label))


def rule(number: int) -> list[str]:
    claims = yaml.safe_load(CONTRACT.read_text())["falsification_tests"]
    found = next(claim for claim in claims if claim["id"] == f"FALSIFY-ROOFLINE-{number:03d}")
    lines: Any = found["expect"]
    return list(lines["functional"] if isinstance(lines, dict) else lines)


def measured(check: Check[Any], example: str | None, **arguments: Any) -> Labelled:
    run = Labelled({}, arguments, check.counter_examples[example] if example else None, "/nowhere")
    check(run, **arguments)
    return run


def failing(check: Check[Any], run: Labelled, lines: list[str]) -> list[str]:
    """The lines that the run does not satisfy, each judged alone."""
    metrics = {metric.name: metric for metric in check.metrics}
    series = {name: series_of(pairs) for name, pairs in run.pairs.items()}
    return [line for line in lines if not judge([line], series, metrics).passed]


@pytest.fixture
def on_a_simulated_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (speeds, beside):
        monkeypatch.setattr(module, "open_bench", simulated_speed.simulated)


@pytest.mark.usefixtures("on_a_simulated_gpu")
@pytest.mark.parametrize("size", list(SWIGLU))
def test_a_quick_kernel_fails_only_for_not_being_on_a_gpu(size: str) -> None:
    run = measured(speeds.kernel_speed, None, kernel=NAME, sizes=[size], peers=["torch", "liger", "sdpa"])
    lines = rule(SWIGLU[size])
    assert any("fraction_of_floor" in line for line in lines)
    assert failing(speeds.kernel_speed, run, lines) == ['sum(throttled) == 0 and all(backend == "gpu")']
    assert run.series["backend"] == ["simulated"]
    assert run.series["fraction_of_floor"][0] == pytest.approx(0.97, abs=0.03)
    assert run.series["peer_not_timed"] == ["liger: not installed", "sdpa: RuntimeError"]
    assert 1 < run.series["ratio_to_torch"][0] < 2.1


@pytest.mark.usefixtures("on_a_simulated_gpu")
@pytest.mark.parametrize(
    ("size", "example", "word"),
    [
        ("large", "twice_as_slow", "fraction_of_floor"),
        ("medium", "twice_as_slow", "fraction_of_floor"),
        ("decode", "ten_times_as_slow", "fraction_of_floor"),
        *((size, "last_row_not_computed", "correct") for size in SWIGLU),
    ],
)
def test_a_planted_defect_fails_in_its_own_metric(size: str, example: str, word: str) -> None:
    arguments: dict[str, Any] = {"kernel": NAME, "sizes": [size], "peers": ["torch"]}
    run = measured(speeds.kernel_speed, example, **arguments)
    assert any(word in line for line in failing(speeds.kernel_speed, run, rule(SWIGLU[size])))


@pytest.mark.usefixtures("on_a_simulated_gpu")
def test_a_time_below_what_moving_the_bytes_takes_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    def unfilled(device: str) -> Any:
        bench = simulated_speed.simulated(device)
        return dataclasses.replace(bench, timer=SimulatedTimer(simulated_speed.gpu(), fills=False))

    monkeypatch.setattr(speeds, "open_bench", unfilled)
    run = measured(speeds.kernel_speed, None, kernel=NAME, sizes=["medium"], peers=[])
    assert run.series["fraction_of_floor"][0] > 1.05
    assert "max(fraction_of_ceiling) <= 1.05" in failing(speeds.kernel_speed, run, rule(SWIGLU["medium"]))


@pytest.mark.usefixtures("on_a_simulated_gpu")
def test_a_gpu_that_is_too_hot_fails_and_one_at_its_power_limit_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for reasons, throttled in ((("sw_power_cap",), 0), (("hw_thermal_slowdown",), 1)):

        class Hot(Monitor):
            def clocks(self, reasons: tuple[str, ...] = reasons) -> Clocks:
                return Clocks(1200, 2619, 1980, 88, 700.5, reasons)

        def hot(device: str, monitor: type[Hot] = Hot) -> Any:
            return dataclasses.replace(simulated_speed.simulated(device), monitor=monitor("GPU-7", None))

        monkeypatch.setattr(speeds, "open_bench", hot)
        run = measured(speeds.kernel_speed, None, kernel=NAME, sizes=["medium"], peers=[])
        assert run.series["throttled"] == [throttled]
        assert run.series["throttle_reasons"] == [" ".join(reasons)]
        assert (run.series["sm_clock"], run.series["power"]) == ([1200], [700.5])


@pytest.mark.usefixtures("on_a_simulated_gpu")
def test_one_slow_kernel_of_several_is_seen_beside_torch_compile() -> None:
    lines = [line for line in rule(30) if "backend" not in line]
    arguments: dict[str, Any] = {"kernels": [NAME], "size": "large"}
    run = measured(beside.beside_compiled, None, **arguments)
    assert failing(beside.beside_compiled, run, lines) == []
    slow = measured(beside.beside_compiled, "one_kernel_ten_times_as_slow", **arguments)
    assert any("ratio_to_compiled" in line for line in failing(beside.beside_compiled, slow, lines))


@pytest.mark.parametrize("example", [None, *procedure.counter_examples])
def test_the_procedure_is_judged_right_and_every_way_to_deceive_it_is_seen(example: str | None) -> None:
    run = measured(procedure, example, mebibytes=[1, 24, 256, 1024])
    assert bool(failing(procedure, run, rule(1))) is (example is not None)


def test_nothing_is_timed_where_there_is_no_gpu() -> None:
    with pytest.raises(NoGpuError, match="this is cpu"):
        measured(speeds.kernel_speed, None, kernel=NAME, sizes=["large"], peers=[])


def test_a_peer_that_the_kernel_has_not_is_passed_over() -> None:
    bench = simulated_speed.simulated("")
    assert measure_peers(bench, simulated_speed.SPEED, {}, ["cublas"], "read") == {}
