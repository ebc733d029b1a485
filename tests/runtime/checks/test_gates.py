from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.gates import gate_logic, gates_of_a_model
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"
GATES = ["capability_match", "tensor_contract", "metadata_plausibility"]


def test_only_eight_passes_pass(measure: Measure) -> None:
    run = measure(gate_logic, {})
    assert (run["combinations"], run["passes"], run["incomplete"]) == ([3**8], [1], [17])
    assert sum(run["wrong"]) == sum(run["incomplete_passed"]) == 0


@pytest.mark.parametrize("name", list(gate_logic.counter_examples))
def test_a_verdict_that_is_too_kind_or_too_strict_is_seen(measure: Measure, name: str) -> None:
    run = measure(gate_logic, {}, name)
    assert sum(run["wrong"]) + sum(run["incomplete_passed"]) > 0


def test_the_shipped_model_passes_what_needs_nothing_else(measure: Measure) -> None:
    run = measure(gates_of_a_model, {"model": open_checkpoint(SHIPPED)}, gates=GATES)
    assert (run["passed"], run["failed"], run["declined"]) == ([1] * 3, [0] * 3, [0] * 3)


@pytest.mark.parametrize("name", list(gates_of_a_model.counter_examples))
def test_a_broken_model_fails_a_gate(measure: Measure, name: str) -> None:
    run = measure(gates_of_a_model, {"model": open_checkpoint(SHIPPED)}, name, gates=GATES)
    assert sum(run["failed"]) >= 1


def test_a_gate_that_needs_a_gpu_is_declined_without_one(measure: Measure) -> None:
    run = measure(gates_of_a_model, {"model": open_checkpoint(SHIPPED)}, gates=["ollama_parity"])
    assert (run["passed"], run["failed"], run["declined"]) == ([0], [0], [1])
