"""The benchmark of kernels: its time, its table, how it ends; and a run by the interpreter."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_kernels.registry import KERNELS

from benchmarks.gpu.__main__ import ended
from benchmarks.gpu.budget import SECONDS, SHARES, Budget
from benchmarks.gpu.correctness import Examined, examine
from benchmarks.gpu.falsifiers import Ended, discharge_all, on_a_gpu
from benchmarks.gpu.table import compiled_ratios, lined_up, rows_of, table
from pv.config import load_config

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    """A clock that goes on when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(0, 400), min_size=len(SHARES), max_size=len(SHARES)))
def test_no_part_has_more_than_is_left_and_the_last_may_have_it_all(taken: list[float]) -> None:
    clock = Clock()
    budget, end = Budget(clock=clock), clock.now + SECONDS
    for part, seconds in zip(SHARES, taken, strict=True):
        given_seconds = budget.begin(part)
        assert clock.now + given_seconds <= end
        assert budget.left() == pytest.approx(given_seconds)
        clock.now += min(seconds, given_seconds)
    assert clock.now <= end


def test_what_a_part_leaves_over_is_shared_by_those_behind_it() -> None:
    clock = Clock()
    budget = Budget(70, {"a": 1, "b": 2, "c": 3}, clock)
    assert budget.begin("a") == 10
    clock.now += 5
    assert budget.begin("b") == pytest.approx(55 * 2 / 5)
    clock.now += 100
    assert budget.left() == 0
    assert budget.begin("c") == 0
    with pytest.raises(KeyError):
        budget.begin("c")


def series(*values: Any, labels: tuple[str, ...] = ("small", "wide")) -> dict[str, Any]:
    return {"values": list(values), "labels": list(labels)}


def speed(outcome: str = "Pass", **changes: Any) -> Ended:
    measurements = {
        "seconds": series(2e-5, 1e-3),
        "moved_bytes": series(40_000_000, 3_000_000_000),
        "fraction_of_floor": series(0.91, 0.955),
        "correct": series(1, 1),
        "ratio_to_torch": series(1.5, 2.25),
        "ratio_to_liger": series(1.1, labels=("wide",)),
        "throttle_reasons": series("none", "sw_power_cap"),
        "sm_clock": series(1980, 1605),
        "backend": {"values": ["gpu"]},
        **changes,
    }
    lines = ("count(correct) == cases", "count(x) == cases and min(fraction_of_floor) >= 0.90")
    arguments = {"kernel": "pv_kernels.speeds.softmax:SOFTMAX_SPEED"}
    return Ended("c-v1#FALSIFY-C-002", "near", "speed", outcome, "", measurements, lines, arguments)


def test_a_row_is_what_the_evidence_of_its_shape_says() -> None:
    small, wide = rows_of([speed()])
    assert (small.claim, small.kernel, small.case, small.target) == ("C-002", "softmax", "small", 0.9)
    assert wide.bandwidth == pytest.approx(3e12)
    assert wide.ratios == {"torch": 2.25, "liger": 1.1}
    assert small.ratios == {"torch": 1.5}
    head, _, *lines = (re.split(r"  +", line) for line in table([small, wide]))
    cells = [dict(zip(head, line, strict=True)) for line in lines]
    assert cells[0] == {
        "claim": "C-002", "kernel": "softmax", "shape": "small", "us": "20.0", "MB": "40.0", "GB/s": "2000",
        "of floor": "0.910", "target": "0.90", "torch x": "1.50", "compiled x": "-", "sdpa x": "-",
        "cublas x": "-", "liger x": "-", "MHz": "1980", "verdict": "Pass",
    }  # fmt: skip
    assert cells[1]["verdict"] == "Pass (sw_power_cap)"
    assert (cells[1]["liger x"], cells[1]["us"]) == ("1.10", "1000.0")


def test_a_wrong_kernel_is_shown_as_wrong_whatever_its_time() -> None:
    wrong = speed("Fail", correct=series(1, 0))
    assert table(list(rows_of([wrong])))[-1].endswith("Fail, WRONG (sw_power_cap)")
    assert ended([], [wrong]) == 1


def test_what_was_measured_beside_torch_compile_alone_has_no_row() -> None:
    apart = Ended(
        "c#F", "r", "speed", "Pass", "", {"seconds": series(1, 2), "ratio_to_compiled": series(1.5, 1.25)}, ()
    )
    assert list(rows_of([apart])) == []
    assert compiled_ratios([apart, speed()]) == {"small": 1.5, "wide": 1.25}


def examined(done: int, *faults: str) -> Examined:
    return Examined("softmax", done, 9, 0.5, "odd", 1.0, faults)


@pytest.mark.parametrize(
    ("found", "outcomes", "code"),
    [
        ([examined(9)], [], 0),
        ([examined(4)], [], 0),
        ([examined(9, "nan: wrong")], [], 1),
        ([examined(9)], [("speed", "Pass"), ("values", "Declined")], 0),
        ([examined(9)], [("speed", "Fail"), ("speed", "Cut")], 2),
        ([examined(9)], [("speed", "Fail"), ("values", "Fail")], 1),
        ([examined(9)], [("speed", "Pass"), ("values", "Cut")], 3),
        ([examined(4)], [("speed", "Pass")], 3),
    ],
)
def test_how_it_ends(found: list[Examined], outcomes: list[tuple[str, str]], code: int) -> None:
    ends = [Ended("c#F", "r", part, outcome, "", {}, ()) for part, outcome in outcomes]
    assert ended(found, ends) == code


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert lined_up([["a", "bb", "c"], ["aaa", "b", "cc"]], left=1) == [
        "a    bb  c",
        "---  --  --",
        "aaa   b  cc",
    ]


def test_samples_are_cut_where_time_is_over_each_first_in_some_type() -> None:
    clock = Clock()

    def ticking() -> float:
        clock.now += 1
        return clock.now

    found = examine(KERNELS["swiglu"], "cpu", 4.5, ticking)
    assert (found.done, found.cut, found.faults) == (4, True, ())
    assert found.samples == 3 * len({*KERNELS["swiglu"].cases, *KERNELS["swiglu"].special})


def test_every_falsifier_that_needs_a_gpu_has_a_part_and_is_cut_where_time_is_over() -> None:
    named = on_a_gpu(load_config(ROOT))
    parts = {one.address: one.part for one in named}
    assert parts["softmax-kernel-v1#FALSIFY-SOFTMAX-001"] == "values"
    assert parts["kernel-roofline-v1#FALSIFY-ROOFLINE-001"] == "speed"
    assert "softmax-kernel-v1#FALSIFY-SOFTMAX-002" not in parts
    told: list[Ended] = []
    ends = discharge_all(named, lambda: 0.0, told.append, again=True, root=ROOT)
    assert [end.outcome for end in ends] == ["Cut"] * len(named)
    assert told == ends


@pytest.mark.kernel
def test_without_a_gpu_values_are_examined_and_no_time_is_told(tmp_path: Path) -> None:
    written = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--kernel", "rms_norm", "--json", str(written)],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
        env={"PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no time was measured" in done.stdout
    found = json.loads(written.read_text())
    assert (found["environment"]["gpu"], found["speed"], found["falsifiers"]) == ("none", [], [])
    assert found["values"][0]["kernel"] == "rms_norm"
    assert found["values"][0]["done"] > 0
