from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.command_line import init_option, synthetic_run

Series = dict[str, list[Any]]
Measure = Callable[..., Series]


@pytest.mark.parametrize(
    ("name", "none", "missing", "used"),
    [
        (None, 1, 0, 1),
        ("default_is_a_path", 0, 0, 1),
        ("not_told_of", 1, 2, 1),
        ("taken_and_not_used", 1, 0, 0),
    ],
)
def test_the_option_is_parsed_told_of_and_used(
    measure: Measure, name: str | None, none: int, missing: int, used: int
) -> None:
    run = measure(init_option, {}, name, paths=["model.gguf", "a b", "-"])
    assert run["misread"] == [0] * 6
    assert run["without_value_refused"] == [1]
    assert (run["default_is_none"], run["words_missing"], run["reaches_the_run"]) == (
        [none],
        [missing],
        [used],
    )


@pytest.mark.parametrize(
    ("name", "silent", "recorded"),
    [
        (None, 0, 0),
        ("passed_off_as_text", 4, 0),
        ("checkpoint_does_not_say_so", 1, 0),
        ("begins_with_a_model", 0, 1),
    ],
)
def test_made_up_data_are_called_so(measure: Measure, name: str | None, silent: int, recorded: int) -> None:
    run = measure(synthetic_run, {}, name, steps=2)
    assert (run["exit_code"], run["steps"], run["accepted"]) == ([0], [2], [0, 0, 0])
    assert (len(run["not_called_synthetic"]), sum(run["not_called_synthetic"])) == (5, silent)
    assert run["init_recorded"] == [recorded]
