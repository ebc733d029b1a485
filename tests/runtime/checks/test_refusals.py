"""Each table of cases is one module; the check that runs them, and so the test, is the same for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks import unsound_tokenizers
from pv_runtime.checks.refusals import refusals
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"
KINDS = [
    ("unsound_data:damaged_shards", 9, 1),
    ("unsound_data:foreign_ids", 6, 2),
    ("unsound_data:too_little", 4, 2),
    ("unsound_data:leaking", 10, 2),
    ("unsound_data:another_tokenizer", 4, 2),
    ("unsound_data:unreadable_text", 4, 4),
    ("unsound_inits:absent", 4, 1),
    ("unsound_inits:unreadable", 10, 3),
    ("unsound_inits:contradicting", 24, 1),
    ("unsound_runs:absent_device", 2, 1),
    ("unsound_runs:damaged_checkpoint", 8, 1),
    ("unsound_runs:device_grammar", 11, 3),
    ("unsound_runs:nothing_to_resume", 6, 2),
    ("unsound_runs:resumed_otherwise", 8, 2),
    ("unsound_tokenizers:as_large", 0, 2),
    ("unsound_tokenizers:of_another_shape", 1, 1),
    ("unsound_tokenizers:smaller", 0, 3),
    ("unsound_tokenizers:larger", 5, 3),
]
"""Module and table, how many cases are to be refused, and how many are sound."""
SEEN = [
    ("unsound_data:foreign_ids", "ids_taken_modulo", "accepted", 6),
    ("unsound_data:too_little", "a_short_shard_is_filled_up", "accepted", 2),
    ("unsound_data:leaking", "leak_not_looked_for", "accepted", 7),
    ("unsound_data:unreadable_text", "what_is_no_text_is_left_out", "accepted", 3),
    ("unsound_inits:absent", "says_no_falsifier", "unsaid", 4),
    ("unsound_inits:absent", "folder_comes_first", "altered", 4),
    ("unsound_inits:absent", "falls_back_to_random_weights", "accepted", 4),
    ("unsound_inits:contradicting", "fields_not_compared", "unsaid", 8),
    ("unsound_inits:contradicting", "family_not_asked", "unsaid", 1),
    ("unsound_inits:contradicting", "shapes_not_compared", "altered", 2),
    ("unsound_inits:contradicting", "values_not_looked_at", "unsaid", 2),
    ("unsound_runs:absent_device", "any_word_is_a_device", "accepted", 2),
    ("unsound_runs:damaged_checkpoint", "damage_is_skipped", "unsaid", 6),
    ("unsound_runs:nothing_to_resume", "begins_again_in_its_folder", "unsaid", 6),
    ("unsound_tokenizers:larger", "one_token_off", "accepted", 2),
]
"""Module and table, a counter-example, the count that shows it, and in how many cases."""


@pytest.fixture(autouse=True)
def small_vocabularies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no tokenizer be as large as a published one, which takes seconds to read: a discharge reads those.

    Without an init, 50,257 rows are asked for: of those it must have more.
    """
    monkeypatch.setattr(unsound_tokenizers, "ROWS", 50_300)
    monkeypatch.setattr(unsound_tokenizers, "TOKENS", 50_290)


def measured(measure: Measure, cases: str, example: str | None = None) -> Series:
    subjects = {"tokenizer": open_checkpoint(SHIPPED)}
    return measure(refusals, subjects, example, cases=f"pv_runtime.checks.{cases}")


@pytest.mark.parametrize(("cases", "refused", "taken"), KINDS)
def test_each_case_is_refused_or_taken_as_it_should_be(
    measure: Measure, cases: str, refused: int, taken: int
) -> None:
    run = measured(measure, cases)
    assert (run["cases"], run["sound"]) == ([refused], [taken])
    for name in ("accepted", "crashed", "unsaid", "altered"):
        assert run.get(name, []) == [0] * refused
    assert run["sound_refused"] == [0] * taken


@pytest.mark.parametrize(("cases", "example", "metric", "count"), SEEN)
def test_a_defect_is_seen(measure: Measure, cases: str, example: str, metric: str, count: int) -> None:
    assert sum(value > 0 for value in measured(measure, cases, example)[metric]) == count
