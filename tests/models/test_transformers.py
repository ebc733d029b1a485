"""The shipped models through an outside implementation: it loads them and finds the stated loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the runtime extra is not installed")

MODELS = Path(__file__).parents[2] / "models"
NAMES = ("tiny-qwen2", "tiny-qwen2-7to1")

pytestmark = pytest.mark.oracle


def transformers() -> Any:
    """Import it only for a test that runs: a run without these collects them too, and need not wait."""
    return pytest.importorskip("transformers", reason="the oracles extra is not installed")


def load(name: str) -> Any:
    model, loading = transformers().Qwen2ForCausalLM.from_pretrained(
        MODELS / name, dtype=torch.float32, output_loading_info=True, local_files_only=True
    )
    for finding in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not loading[finding], f"{finding}: {loading[finding]}"
    return model.eval()


def held_out_loss(model: Any, name: str) -> float:
    """The card's procedure, written again here rather than taken from the recipe."""
    tokenizer = transformers().AutoTokenizer.from_pretrained(MODELS / name, local_files_only=True)
    text = (MODELS / "heldout.txt").read_bytes().decode()
    identifiers = torch.tensor(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    window = json.loads((MODELS / name / "card.json").read_text())["held_out_window"]
    windows = identifiers[: len(identifiers) // window * window].view(-1, window)
    total = 0.0
    predicted = len(windows) * (window - 1)
    with torch.no_grad():
        for row in windows:
            logits = model(row[None]).logits[0, :-1].double()
            total -= float(logits.log_softmax(-1).gather(1, row[1:, None]).sum())
    return total / float(predicted)


@pytest.mark.parametrize("name", NAMES)
def test_the_stated_loss_is_found(name: str) -> None:
    card = json.loads((MODELS / name / "card.json").read_text())
    assert held_out_loss(load(name), name) == pytest.approx(card["held_out_loss"], abs=2e-3)


def test_one_damaged_matrix_is_seen() -> None:
    name = "tiny-qwen2"
    card = json.loads((MODELS / name / "card.json").read_text())
    model = load(name)
    with torch.no_grad():
        model.model.layers[2].mlp.down_proj.weight.neg_()
    assert held_out_loss(model, name) > card["held_out_loss"] + 0.02


@pytest.mark.parametrize("name", NAMES)
def test_the_chat_template_renders_chatml(name: str) -> None:
    tokenizer = transformers().AutoTokenizer.from_pretrained(MODELS / name, local_files_only=True)
    messages = [
        {"role": "system", "content": "You read Python."},
        {"role": "user", "content": "What is 2+2?"},
    ]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == (
        "<|im_start|>system\nYou read Python.<|im_end|>\n"
        "<|im_start|>user\nWhat is 2+2?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    identifiers = tokenizer(rendered, add_special_tokens=False)["input_ids"]
    assert identifiers.count(tokenizer.convert_tokens_to_ids("<|im_start|>")) == 3
    assert tokenizer.decode(identifiers) == rendered
