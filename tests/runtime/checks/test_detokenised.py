from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.detokenised import detokenised, lost_tokens
from pv_runtime.formats import FileBytes, open_bytes, open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]

MODEL = open_checkpoint(Path(__file__).parents[3] / "models" / "tiny-qwen2")
OTHERS = [" a .  \t\r\n b", "\ufb01n \u4f60\u597d"]


@pytest.fixture
def subjects(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "text.txt"
    path.write_text("class A:\n    x = 1\n\nclass B:\n    y = 'a .'\n\n\n\nend\n", encoding="utf-8")
    return {"model": MODEL, "text": open_bytes(path)}


def test_documents_come_out_as_they_went_in(measure: Measure, subjects: dict[str, Any]) -> None:
    run = measure(detokenised, subjects, others=OTHERS)
    assert (run["documents"], run["expected_documents"]) == ([5], [5])
    assert run["differing_bytes"] == [0] * 5
    assert run["ids_without_row"] == [0]
    assert 0 < run["tokens"][0] < run["bytes_read"][0]


@pytest.mark.parametrize("name", list(detokenised.counter_examples))
def test_each_defect_is_seen(measure: Measure, subjects: dict[str, Any], name: str) -> None:
    run = measure(detokenised, subjects, name, others=OTHERS)
    assert sum(run["differing_bytes"]) > 0 or run["documents"] != run["expected_documents"]


def test_a_text_of_one_document_is_one(measure: Measure, tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("x = 1\n", encoding="utf-8")
    text: FileBytes = open_bytes(path)
    assert measure(detokenised, {"model": MODEL, "text": text}, others=[])["documents"] == [1]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_token_of_one_document_is_lost(place: int) -> None:
    from pv_runtime.checks.detokenised import Codec

    codec = lost_tokens(Codec(lambda text: list(text.encode()), lambda ids: bytes(ids).decode()), 1, place)
    lengths = [len(codec.decode([97] * 5)) for _ in range(60)]
    assert sorted(lengths) == [4] + [5] * 59
