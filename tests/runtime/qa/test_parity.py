from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from pv_runtime.export import export
from pv_runtime.formats import open_checkpoint
from pv_runtime.model import Decoder
from pv_runtime.qa.gate import DeclinedError, Settings
from pv_runtime.qa.parity import format_parity, gpu_state_isolation, isolated, ptx_parity
from pv_runtime.qa.subject import Subject
from torch import Tensor

SETTINGS = Settings(prompt="class Foo:\n    def __init__(", chat=False, steps=64)


def test_the_quantised_model_keeps_step_with_its_source(models: Path) -> None:
    reference = Subject(str(models / "tiny-qwen2"))
    found = format_parity(Subject(str(models / "tiny-qwen2-q4_k"), reference=reference), SETTINGS)
    assert found.passed, found.message
    assert found.value is not None
    assert 0.98 < found.value <= 1


def test_another_model_is_told_with_the_step(models: Path) -> None:
    reference = Subject(str(models / "tiny-qwen2-7to1"))
    found = format_parity(Subject(str(models / "tiny-qwen2"), reference=reference), SETTINGS)
    assert not found.passed
    assert found.message.startswith("step ")
    assert "at a cosine of" in found.message


def test_a_reference_that_shows_nothing_is_declined(models: Path, tmp_path: Path) -> None:
    folder = str(models / "tiny-qwen2")
    with pytest.raises(DeclinedError, match="nothing to compare with"):
        format_parity(Subject(folder), SETTINGS)
    with pytest.raises(DeclinedError, match="is the model itself"):
        format_parity(Subject(folder, reference=Subject(folder)), SETTINGS)
    made = tmp_path / "x.gguf"
    export(open_checkpoint(folder), str(made), "gguf", folder=Path(folder))
    with pytest.raises(DeclinedError, match="was made from the model"):
        format_parity(Subject(folder, reference=Subject(str(made))), SETTINGS)
    again = tmp_path / "x.apr"
    export(open_checkpoint(made), str(again), "apr")
    with pytest.raises(DeclinedError, match="was made from the model"):
        format_parity(Subject(folder, reference=Subject(str(again))), SETTINGS)
    assert format_parity(Subject(str(made), reference=Subject(folder)), SETTINGS).passed


def test_a_reference_of_another_tokenizer_fails_and_one_without_is_compared(
    models: Path, tmp_path: Path
) -> None:
    shutil.copytree(models / "tiny-qwen2-7to1", tmp_path / "m")
    whole = json.loads((tmp_path / "m/tokenizer.json").read_text())
    vocabulary = whole["model"]["vocab"]
    vocabulary["class"], vocabulary["Ġdef"] = vocabulary["Ġdef"], vocabulary["class"]
    (tmp_path / "m/tokenizer.json").write_text(json.dumps(whole))
    subject = Subject(str(models / "tiny-qwen2"), reference=Subject(str(tmp_path / "m")))
    assert format_parity(subject, SETTINGS).message == "the two tokenize the question differently"
    (tmp_path / "m/tokenizer.json").unlink()
    subject = Subject(str(models / "tiny-qwen2"), reference=Subject(str(tmp_path / "m")))
    assert format_parity(subject, SETTINGS).message.startswith("step ")


def test_what_was_computed_before_must_not_show(models: Path) -> None:
    class Remembers(Decoder):
        passes = 0

        def embed(self, tokens: Tensor) -> Tensor:
            self.passes += 1
            return super().embed((tokens + self.passes) % 4096)

    decoder = Subject(str(models / "tiny-qwen2")).decoder
    assert isolated(decoder, [5, 6, 7], 12)
    assert not isolated(Remembers(decoder.weights), [5, 6, 7], 12)


def test_a_text_that_repeats_itself_shows_nothing(models: Path) -> None:
    reference = Subject(str(models / "tiny-qwen2"))
    subject = Subject(str(models / "tiny-qwen2-q4_k"), reference=reference)
    first = reference.tokenizer.decode([345])
    with pytest.raises(DeclinedError, match="1 different tokens in 64 steps"):
        format_parity(subject, Settings(prompt=first, chat=False))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_they_are_declined(models: Path) -> None:
    subject = Subject(str(models / "tiny-qwen2"))
    for gate in (ptx_parity, gpu_state_isolation):
        with pytest.raises(DeclinedError, match="no GPU"):
            gate(subject, SETTINGS)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_a_text_stays_the_same(models: Path) -> None:
    assert gpu_state_isolation(Subject(str(models / "tiny-qwen2")), SETTINGS).passed
