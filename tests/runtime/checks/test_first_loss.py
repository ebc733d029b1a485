from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime.checks.first_loss import first_loss
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.file_bytes import open_bytes
from pv_runtime.model import Decoder
from pv_runtime.provenance import file_sha256
from pv_runtime.tokenizer import tokenizer_in
from pv_runtime.weights import load_weights
from torch.nn import functional

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
MODELS = Path(__file__).parents[3] / "models"
SHIPPED = MODELS / "tiny-qwen2"
WINDOW = 48


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A text of five windows, and the loss that the decoder of ``apr run`` has of them."""
    folder = tmp_path_factory.mktemp("card")
    text = folder / "text.txt"
    text.write_text((MODELS / "heldout.txt").read_text(encoding="utf-8")[:900], encoding="utf-8")
    ids = tokenizer_in(SHIPPED).encode(text.read_text(encoding="utf-8"))
    windows = torch.tensor(ids[: len(ids) // WINDOW * WINDOW]).view(-1, WINDOW)
    with torch.no_grad():
        logits = Decoder(load_weights(open_checkpoint(SHIPPED))).forward(windows[:, :-1])
    loss = functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()).item()
    files = {path.name: file_sha256(str(path)) for path in (SHIPPED / "model.safetensors", text)}
    card = folder / "card.json"
    card.write_text(json.dumps({"held_out_loss": loss, "held_out_window": WINDOW, "sha256": files}))
    return {"model": open_checkpoint(SHIPPED), "card": open_bytes(card), "text": open_bytes(text)}


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("weights_drawn_at_random", {"record", "gap"}),
        ("square_tensor_transposed", {"record", "gap"}),
        ("one_layer_random", {"record"}),
        ("rotary_base_assumed", {"record"}),
        ("scratch_begins_too_wide", {"uniform"}),
    ],
)
def test_each_defect_is_seen_by_the_lines_that_can(
    measure: Measure, subjects: dict[str, Any], name: str | None, seen_by: set[str]
) -> None:
    run = measure(first_loss, subjects, name)
    lines = {
        "of these": run["recorded_of_this_model"] == run["recorded_of_this_text"] == [1],
        "record": run["differs_from_record"][0] <= 1e-3,
        "uniform": abs(run["scratch_over_uniform"][0]) <= 0.5,
        "gap": run["gap_of_uniform"][0] >= 0.3,
    }
    assert {line for line, holds in lines.items() if not holds} == seen_by


def test_a_card_of_another_text_is_noticed(
    measure: Measure, subjects: dict[str, Any], tmp_path: Path
) -> None:
    other = tmp_path / "text.txt"
    other.write_bytes(Path(subjects["text"].path).read_bytes() + b"\n")
    run = measure(first_loss, {**subjects, "text": open_bytes(other)})
    assert run["recorded_of_this_text"] == [0]
