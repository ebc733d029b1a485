from __future__ import annotations

import json
from pathlib import Path

import pytest
from pv_runtime.errors import LoadError
from pv_runtime.evaluation.completions import Completion, cut, read_completions
from pv_runtime.evaluation.problems import Problem

PROBLEMS = [Problem(f"T/{n}", "def f():\n", "f", "    pass\n", "def check(c): pass") for n in range(2)]


def written(folder: Path, *tasks: str) -> Path:
    file = folder / "completions"
    file.write_text("".join(json.dumps({"task_id": each, "completion": each}) + "\n" for each in tasks))
    return file


def test_it_is_cut_at_the_first_text_that_stops_it() -> None:
    assert cut("a\nb\n\nc", ["\n\n", "c"]) == "a\nb"
    assert cut("a\nb", ["\n\n"]) == "a\nb"
    assert cut("abc", []) == "abc"
    assert cut("xab", ["b", "ab"]) == "x"
    assert cut("\nx", ["\n"]) == ""


def test_samples_are_numbered_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = read_completions(written(tmp_path, "T/1", "T/0", "T/1", "T/0"), PROBLEMS)
    assert [(each.task_id, each.sample) for each in found] == [("T/1", 0), ("T/0", 0), ("T/1", 1), ("T/0", 1)]
    assert found[0] == Completion("T/1", 0, "T/1", "given")


def test_what_was_left_out_is_passed_over_and_what_is_foreign_is_not(tmp_path: Path) -> None:
    file = written(tmp_path, "T/0", "T/1")
    assert [each.task_id for each in read_completions(file, PROBLEMS[:1], known=["T/0", "T/1"])] == ["T/0"]
    with pytest.raises(LoadError, match=r":2: the task 'T/1' is none of the benchmark's"):
        read_completions(file, PROBLEMS[:1])


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (["T/0"], "has no completion of the task 'T/1'"),
        (["T/0", "T/1", "T/1"], "has 2 completions of 'T/1' and 1 of 'T/0'"),
        ([], "has no completion of the task 'T/0'"),
    ],
)
def test_every_problem_has_as_many(tmp_path: Path, tasks: list[str], said: str) -> None:
    with pytest.raises(LoadError, match=said):
        read_completions(written(tmp_path, *tasks), PROBLEMS)


@pytest.mark.parametrize(
    "line", ['{"task_id": "T/0"}', '{"completion": ""}', '{"task_id": 1, "completion": ""}']
)
def test_a_line_that_is_none_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    file = written(tmp_path, "T/0")
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(LoadError, match=r":2: the key '\w+' is missing, or no text"):
        read_completions(file, PROBLEMS)
