from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks import training_devices as devices
from pv_runtime.checks.trainer import random_init
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.file_bytes import open_bytes

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
MODELS = Path(__file__).parents[3] / "models"
MODEL = open_checkpoint(MODELS / "tiny-qwen2")


@pytest.mark.parametrize(
    ("name", "device", "differing"),
    [(None, "cpu", False), ("called_a_gpu", "cuda:0", False), ("order_by_the_clock", "cpu", True)],
)
def test_the_cpu_is_the_cpu_and_the_same_each_time(
    measure: Measure, name: str | None, device: str, differing: bool
) -> None:
    run = measure(devices.processor_path, {"tokenizer": MODEL}, name, steps=3)
    assert run["device"] == [device, device]
    assert (run["exit_code"], run["gpu_touched"]) == ([0, 0], [0])
    assert (run["differing_losses"][0] > 0) == (run["differing_files"][0] > 0) == differing


# What is measured on a GPU is measured here on the CPU, for which no falsifier claims it.


@pytest.mark.parametrize(("name", "differs"), [(None, False), ("weights_not_moved", True)])
def test_losses_of_an_init_are_compared(measure: Measure, name: str | None, differs: bool) -> None:
    subjects = {"model": MODEL, "text": open_bytes(MODELS / "heldout.txt")}
    run = measure(devices.init_loss_on_devices, subjects, name, windows=1)
    assert run["device"] == ["cpu"]
    assert (run["difference"][0] > 1e-2) == differs


def test_weights_and_moments_are_looked_for_on_the_device(measure: Measure) -> None:
    run = measure(devices.resident, {"tokenizer": MODEL})
    assert (run["tensors"], run["off_the_device"], run["bytes_taken"]) == ([78], [0], [0])


@pytest.mark.parametrize("name", [None, "waits_a_second", "a_hundredth_is_written_down"])
def test_steps_are_timed(measure: Measure, tmp_path: Path, name: str | None) -> None:
    shape = str(random_init(tmp_path / "shape"))
    settings: dict[str, Any] = {"length": 16, "batch": 1, "dtype": "float32", "steps": 3, "first": 1}
    run = measure(devices.step_times, {}, name, architecture=shape, **settings)
    assert (run["timed"], run["losses_not_finite"]) == ([2], [0])
    assert (min(run["wall_ms"]) > 1000) == (name == "waits_a_second")
    assert (run["elapsed_over_stated"][0] > 20) == (name == "a_hundredth_is_written_down")


@pytest.mark.parametrize(("name", "differs"), [(None, False), ("another_order", True)])
def test_losses_are_compared_step_by_step(
    measure: Measure, tmp_path: Path, name: str | None, differs: bool
) -> None:
    small = random_init(tmp_path / "small")
    shutil.copy(MODELS / "tiny-qwen2" / "tokenizer.json", small)
    run = measure(devices.repeated_losses, {"model": open_checkpoint(small)}, name, steps=2)
    assert run["lines"] == [4]
    assert (max(run["difference"]) > 1e-5) == differs
