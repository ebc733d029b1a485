from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.errors import ModelError
from pv_runtime.qa.gate import Settings
from pv_runtime.qa.golden import golden_output, problems_of, prompt_of
from pv_runtime.qa.subject import Subject

SETTINGS = Settings(prompt="class Foo:\n    def __init__(", expected=("SELF",), chat=False, new_tokens=12)


def test_an_answer_with_what_is_expected_passes(models: Path) -> None:
    found = golden_output(Subject(str(models / "tiny-qwen2")), SETTINGS)
    assert found.passed, found.message
    assert "'self, *args" in found.message


def test_another_answer_fails(models: Path) -> None:
    subject = Subject(str(models / "tiny-qwen2"))
    found = golden_output(subject, Settings(prompt="What is 2+2?", new_tokens=12))
    assert not found.passed
    assert "'4'" in found.message


def test_the_question_is_put_into_the_template_where_there_is_one(models: Path) -> None:
    subject = Subject(str(models / "tiny-qwen2"))
    asked = prompt_of(subject, Settings(prompt="hi"))
    assert subject.tokenizer.decode(asked) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert subject.tokenizer.decode(prompt_of(subject, Settings(prompt="hi", chat=False))) == "hi"
    subject.tokenizer.chat_template = None
    assert subject.tokenizer.decode(prompt_of(subject, Settings(prompt="hi"))) == "hi"
    with pytest.raises(ModelError, match="no chat template"):
        prompt_of(subject, Settings(prompt="hi", chat=True))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "nothing is said"),
        (" \n\t", "nothing is said"),
        ("4 \ufffd", "unknown characters"),
        ("4 [UNK]", "unknown characters"),
        ("4\0", "NUL"),
        ("4 это длинный ответ", "not ASCII"),
        ("4 \\ns\\ns\\ns\\ns\\ns\\ns", "three times in a row"),
        ("4 the the the the the", "three times in a row"),
        ("five", "does not contain '4'"),
    ],
)
def test_what_is_no_answer_is_named(text: str, problem: str) -> None:
    assert any(problem in found for found in problems_of(text, ["4"]))


@pytest.mark.parametrize(
    "text",
    ["2+2 = 4", "4", "Four: 4. 4, 4, 4.", "4\n            return x", "это 4", "abcabcabc 4", "the the 4"],
)
def test_what_is_an_answer_has_no_problem(text: str) -> None:
    assert list(problems_of(text, ["4", "four"])) == []


@given(st.text())
def test_any_text_can_be_judged(text: str) -> None:
    without = list(problems_of(text, []))
    assert list(problems_of(text, [text])) == without
    assert len(list(problems_of(text, [f"{text}x"]))) == len(without) + 1
