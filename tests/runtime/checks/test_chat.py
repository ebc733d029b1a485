from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.chat import rendered_chat
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"
START, END = "<|im_start|>", "<|im_end|>\n"
CONVERSATIONS = [
    {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2+2?"}],
        "expected": f"{START}system\nBe brief.{END}{START}user\nWhat is 2+2?{END}{START}assistant\n",
    },
    {
        "messages": [{"role": "user", "content": "\u4f60\u597d\n"}],
        "expected": f"{START}user\n\u4f60\u597d\n{END}{START}assistant\n",
    },
]
WITH: dict[str, Any] = {"conversations": CONVERSATIONS, "markers": ["<|im_start|>", "<|im_end|>"]}


def failing(run: Series) -> set[str]:
    """The lines of FALSIFY-SHIP-008 that fail."""
    assert (run["formats"], run["conversations"], run["expected_specials"]) == ([3], [2], [5, 3] * 3)
    lines = {
        "bytes": sum(run["differing_bytes"]) == 0 and min(run["expected_bytes"]) > 0,
        "markers": run["special_tokens"] == run["expected_specials"],
    }
    return {name for name, line in lines.items() if not line}


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("answer_not_begun", {"bytes", "markers"}),
        ("roles_exchanged", {"bytes"}),
        ("template_of_another_family", {"bytes", "markers"}),
        ("one_byte", {"bytes"}),
        ("nothing", {"bytes", "markers"}),
        ("a_system_message_of_its_own", {"bytes", "markers"}),
        ("marker_spelt_out", {"bytes", "markers"}),
    ],
)
def test_a_conversation_is_rendered_to_the_byte(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    assert failing(measure(rendered_chat, {"model": open_checkpoint(SHIPPED)}, name, **WITH)) == seen_by


def test_every_counter_example_is_tried_above() -> None:
    marks = test_a_conversation_is_rendered_to_the_byte.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == {None, *rendered_chat.counter_examples}
