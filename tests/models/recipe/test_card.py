from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the runtime extra is not installed")
pytest.importorskip("tokenizers", reason="the runtime extra is not installed")

from models.recipe.card import describe

MODELS = Path(__file__).parents[3] / "models"


@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-qwen2-7to1"])
def test_the_shipped_card_is_what_its_facts_say(name: str) -> None:
    facts = json.loads((MODELS / name / "card.json").read_text())
    text = (MODELS / name / "README.md").read_text()
    assert text == describe(facts)
    facts["held_out_loss"] += 1e-3
    assert text != describe(facts)
