from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pv_runtime import summary
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors

HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


def model(folder: Path, names: list[str], config: dict[str, Any] | None = None) -> Checkpoint:
    tensors = [from_values(name, (2, 2), lambda: np.ones((2, 2), np.float32), "F16") for name in names]
    write_safetensors(str(folder / "model.safetensors"), [(each.info, each.raw) for each in tensors])
    (folder / "config.json").write_text(json.dumps(config or {}))
    return open_checkpoint(folder)


@pytest.mark.parametrize(
    ("names", "stated", "tied", "note"),
    [
        ([EMBEDDING], True, True, None),
        ([EMBEDDING], None, True, None),
        ([EMBEDDING], False, True, f"says not tied, but there is no {HEAD}"),
        ([EMBEDDING, HEAD], False, False, None),
        ([EMBEDDING, HEAD], True, False, f"says tied, but there is a {HEAD}"),
        ([HEAD], True, None, None),
    ],
)
def test_tied_or_not_and_what_the_configuration_says(
    tmp_path: Path, names: list[str], stated: bool | None, tied: bool | None, note: str | None
) -> None:
    checkpoint = model(tmp_path, names, {} if stated is None else {"tie_word_embeddings": stated})
    assert summary.tied_embeddings(checkpoint) is tied
    notes = summary.notes(checkpoint)
    assert [each.partition("configuration ")[2] for each in notes] == ([note] if note else [])


def test_the_architecture_is_the_files_word() -> None:
    assert summary.architecture({"general.architecture": "qwen2"}) == "qwen2"
    assert summary.architecture({"config": {"model_type": "llama"}}) == "llama"
    assert summary.architecture({"architecture": "qwen2"}) == "qwen2"
    assert summary.architecture({"general.architecture": 3, "config": []}) is None


def test_a_tokenizer_of_apr_and_of_nothing() -> None:
    said = summary.tokenizer(
        {"tokenizer.vocabulary": ["a", "b"], "tokenizer.merges": [], "chat_template": "x"}
    )
    assert said is not None
    assert (said["tokens"], said["merges"], said["chat_template"], said["model"]) == (2, 0, True, None)
    assert summary.tokenizer({"tokenizer.ggml.model": "gpt2"}) is None
    odd = summary.tokenizer({"tokenizer.ggml.tokens": 4})
    assert odd is not None
    assert odd["tokens"] is None


def test_packed_weights_are_named_as_such(tmp_path: Path) -> None:
    module = "model.layers.0.self_attn.q_proj"
    parts = [f"{module}.{part}" for part in ("qweight", "qzeros", "scales")]
    checkpoint = model(tmp_path, [*parts, "visual.patch.weight", EMBEDDING])
    assert summary.not_understood(checkpoint) == [
        {"kind": "name", "what": None, "tensors": 1, "first": "visual.patch.weight"},
        {"kind": "packing", "what": "AWQ", "tensors": 3, "first": parts[0]},
    ]
    assert summary.dtype_table(checkpoint) == {"F16": {"tensors": 5, "params": 20, "bytes": 40}}
