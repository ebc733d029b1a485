from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.required_gates import required_gates
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]

MODEL = open_checkpoint(Path(__file__).parents[3] / "models" / "tiny-qwen2")
GATES = {"functional": ["tensor_contract", "capability_match"], "live": ["ptx_parity"]}


def test_the_gates_of_the_level_are_asked(measure: Measure) -> None:
    run = measure(required_gates, {"model": MODEL}, gates=GATES)
    assert (run["asked"], run["passed"], run["failed"], run["declined"]) == ([2], [1, 1], [0, 0], [0, 0])


@pytest.mark.parametrize("name", list(required_gates.counter_examples))
def test_a_broken_model_fails_one(measure: Measure, name: str) -> None:
    assert sum(measure(required_gates, {"model": MODEL}, name, gates=GATES)["failed"]) >= 1
