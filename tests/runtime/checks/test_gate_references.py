from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.gate_references import canary, parity_references
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
MODELS = Path(__file__).parents[3] / "models"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [(None, 0), ("any_reference_will_do", 2), ("by_name_only", 1), ("declines_always", 1)],
)
def test_a_reference_that_shows_nothing_is_declined(measure: Measure, name: str | None, wrong: int) -> None:
    model = {"model": open_checkpoint(MODELS / "tiny-qwen2")}
    run = measure(parity_references, model, name, prompt="def read(path):\n", steps=24)
    assert sum(run["wrong"]) == wrong


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("looks_at_the_reference_twice", {"quantised"}),
        ("first_token_only", {"tokens"}),
        ("cries_always", {"own"}),
    ],
)
def test_the_canary_sings_of_the_quantised_model_alone(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    models = {
        "model": open_checkpoint(MODELS / "tiny-qwen2"),
        "quantised": open_checkpoint(MODELS / "tiny-qwen2-q4_k" / "model.gguf"),
    }
    run = measure(canary, models, name, tokens=8)
    lines = {
        "own": run["own_divergence"][0] <= 1e-9,
        "quantised": run["quantised_divergence"][0] > 1e-4,
        "tokens": run["tokens"] == [8],
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by
