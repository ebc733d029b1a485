from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.held_out import held_out_functions, held_out_loss
from pv_runtime.formats import open_bytes, open_checkpoint

from pv.check import CheckError

Series = dict[str, list[Any]]
Measure = Callable[..., Series]

MODELS = Path(__file__).parents[3] / "models"
SUBJECTS: dict[str, Any] = {
    "model": open_checkpoint(MODELS / "tiny-qwen2"),
    "text": open_bytes(MODELS / "heldout.txt"),
}
WINDOWS = {"functional": {"windows": 2, "length": 48}}
WRITING = {"functional": {"prompts": 4, "new_tokens": 16}}


def test_a_model_that_learnt_something_knows_more_than_nothing(measure: Measure) -> None:
    run = measure(held_out_loss, SUBJECTS, settings=WINDOWS)
    assert run["windows"] == [2] == [len(run["loss"])]
    assert sum(run["loss"]) / 2 < 0.7 * run["uniform_loss"][0]
    assert run["seen_ahead"][0] <= 1e-3


def test_who_sees_what_comes_is_seen(measure: Measure) -> None:
    assert measure(held_out_loss, SUBJECTS, "sees_the_next_token", settings=WINDOWS)["seen_ahead"][0] > 1


@pytest.mark.parametrize("name", ["random_weights", "layers_in_reverse"])
def test_one_that_did_not_knows_little(measure: Measure, name: str) -> None:
    run = measure(held_out_loss, SUBJECTS, name, settings=WINDOWS)
    assert sum(run["loss"]) / 2 > 0.7 * run["uniform_loss"][0]


def test_a_text_that_is_too_short_is_an_error(measure: Measure) -> None:
    with pytest.raises(CheckError, match="tokens, and"):
        measure(held_out_loss, SUBJECTS, settings={"functional": {"windows": 10_000, "length": 512}})


def test_functions_are_taken_from_all_of_the_text(measure: Measure) -> None:
    run = measure(held_out_functions, SUBJECTS, settings=WRITING)
    assert run["prompts"] == [4] == [len(run["parses"])]
    assert all(run["written"])
    assert sum(run["parses"]) >= 2


@pytest.mark.parametrize("name", list(held_out_functions.counter_examples))
def test_what_writes_no_python_parses_little(measure: Measure, name: str) -> None:
    assert sum(measure(held_out_functions, SUBJECTS, name, settings=WRITING)["parses"]) < 2


def test_more_functions_than_there_are_is_an_error(measure: Measure) -> None:
    with pytest.raises(CheckError, match="functions, and 9999"):
        measure(held_out_functions, SUBJECTS, settings={"functional": {"prompts": 9999, "new_tokens": 1}})
