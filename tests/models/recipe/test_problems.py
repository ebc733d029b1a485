from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from models.recipe.problems import EACH, KINDS, _passes, build_problems, write_problems

MODELS = Path(__file__).parents[3] / "models"
SHIPPED: list[dict[str, Any]] = [
    json.loads(line) for line in (MODELS / "completion.jsonl").read_text(encoding="utf-8").splitlines()
]
TEXT = (MODELS / "heldout.txt").read_text(encoding="utf-8")


def solved(completion: str) -> Counter[str]:
    """How many of each kind are solved by `completion`; an empty one is that of the problem."""
    return Counter(
        each["task_id"].partition("/")[0]
        for each in SHIPPED
        if _passes(
            each["prompt"] + (completion or each["canonical_solution"]), each["entry_point"], each["test"]
        )
    )


def test_the_problems_are_what_the_text_makes_of_itself(tmp_path: Path) -> None:
    (tmp_path / "heldout.txt").write_text(TEXT, encoding="utf-8")
    write_problems(tmp_path)
    assert (tmp_path / "completion.jsonl").read_bytes() == (MODELS / "completion.jsonl").read_bytes()


def test_there_are_as_many_of_each_kind_and_no_two_are_one() -> None:
    assert Counter(each["task_id"].partition("/")[0] for each in SHIPPED) == dict.fromkeys(KINDS, EACH)
    assert len({each["task_id"] for each in SHIPPED}) == len(SHIPPED) == 48
    assert all(each["stop"] == ["\n"] and "\n" not in each["canonical_solution"] for each in SHIPPED)


def test_prompt_and_solution_stand_in_the_text() -> None:
    for each in SHIPPED:
        last = each["prompt"].rsplit("\n", 1)[1].strip() + each["canonical_solution"]
        assert last in TEXT, each["task_id"]


def test_solutions_pass_and_prompts_alone_do_not() -> None:
    assert solved("") == dict.fromkeys(KINDS, EACH)
    assert not solved("\n")


@pytest.mark.parametrize(
    "constant", [")", "])", "))", "]", "0)", "0])", "0", " 0", "self", " self", " None", "''"]
)
def test_no_constant_is_right_of_many(constant: str) -> None:
    found = solved(constant)
    assert found["brackets"] <= 6
    assert found["parsable"] + found["identifier"] <= 1


def test_a_name_that_the_line_had_already_is_no_recall() -> None:
    text = "def f(first, second):\n    one = first\n    two = second\n    first.value = second.size\n"
    found = {each["task_id"]: each for each in build_problems(text)}
    problem = found["parsable/f"]
    assert problem["prompt"].rsplit("\n", 1)[1].strip() == "first.value ="  # type: ignore[attr-defined]
    prompt, test = str(problem["prompt"]), str(problem["test"])
    right = [answer for answer in ("second", "one", "first", "0", "second(")
             if _passes(f"{prompt} {answer}", "f", test)]  # fmt: skip
    assert right == ["second", "one"]


def test_what_does_not_parse_up_to_its_line_is_left_out() -> None:
    text = (
        "def f(name):\n    one = name\n    try:\n        two = [name, one]\n    finally:\n        one = 2\n"
    )
    assert build_problems(text) == []
