from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pv_runtime.checks.provenance_fields import kept_fields, refused_statements, shown_fields

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
STATEMENTS = [{"license": "MIT", "data_source": "B\u00fccher", "data_license": "PSF-2.0"}]
CASES = {"license": ["", "unknown"], "data-source": ["(missing)", "a\nb"]}


def test_three_formats_keep_three_fields(measure: Measure) -> None:
    run = measure(kept_fields, {}, statements=STATEMENTS)
    assert run == {"formats": [3], "differing": [0] * 9, "others_changed": [0] * 3}


@pytest.mark.parametrize(
    ("name", "differing"), [("data_licence_dropped", 3), ("licences_exchanged", 6), ("ascii_only", 3)]
)
def test_what_is_not_kept_is_counted(measure: Measure, name: str, differing: int) -> None:
    assert sum(measure(kept_fields, {}, name, statements=STATEMENTS)["differing"]) == differing


def test_what_is_missing_is_shown_to_be(measure: Measure) -> None:
    run = measure(shown_fields, {})
    assert (run["files"], run["exit_code"]) == ([6], [0] * 6)
    assert run["not_in_json"] == run["not_in_text"] == [0] * 18


@pytest.mark.parametrize(
    ("name", "in_json", "in_text"), [("what_is_missing_left_out", 9, 0), ("not_said_in_words", 0, 9)]
)
def test_what_is_hidden_is_counted(measure: Measure, name: str, in_json: int, in_text: int) -> None:
    run = measure(shown_fields, {}, name)
    assert (sum(run["not_in_json"]), sum(run["not_in_text"])) == (in_json, in_text)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (None, set()),
        ("any_word_will_do", {"accepted", "unnamed"}),
        ("copied_before_it_is_refused", {"left"}),
        ("refuses_without_a_word", {"unnamed"}),
        ("refuses_everything", {"sound_code"}),
    ],
)
def test_placeholders_are_refused(measure: Measure, name: str | None, wrong: set[str]) -> None:
    run = measure(refused_statements, {}, name, cases=CASES)
    assert run["cases"] == [4] == [len(run["accepted"])]
    found = {key for key in ("accepted", "unnamed", "left", "sound_code") if sum(run[key])}
    assert found == wrong
