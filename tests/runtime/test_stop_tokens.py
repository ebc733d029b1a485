from __future__ import annotations

import json
from pathlib import Path

import pytest
from pv_runtime.errors import LoadError
from pv_runtime.export import export
from pv_runtime.formats import Overlay, open_checkpoint
from pv_runtime.stop_tokens import stop_tokens
from pv_runtime.tokenizer import tokenizer_of

FOLDER = Path(__file__).resolve().parents[2] / "models/tiny-qwen2"


@pytest.mark.parametrize("form", ["gguf", "apr"])
def test_what_the_folder_says_is_carried_along(tmp_path: Path, form: str) -> None:
    model = open_checkpoint(FOLDER)
    assert stop_tokens(model, None, FOLDER) == {4088, 4090}
    export(model, str(tmp_path / "x"), form, folder=FOLDER)
    exported = open_checkpoint(tmp_path / "x")
    assert stop_tokens(exported, tokenizer_of(exported)) == {4088, 4090}


def test_without_a_generation_config_the_spelling_and_the_keys_count(tmp_path: Path) -> None:
    model = open_checkpoint(FOLDER)
    assert stop_tokens(model, None, tmp_path) == {4088}  # config.json's
    assert stop_tokens(model, tokenizer_of(model, FOLDER), tmp_path) == {4088, 4090}
    export(model, str(tmp_path / "x"), "gguf")  # without the folder, and its tokenizer
    bare = open_checkpoint(tmp_path / "x")
    keys = {**bare.metadata, "tokenizer.ggml.eot_token_id": 7, "tokenizer.ggml.eos_token_id": 4088}
    assert stop_tokens(Overlay(bare, metadata=keys), None) == {4088, 7}


@pytest.mark.parametrize("stated", ["4088", [1, "2"], -1, True, {"a": 1}])
def test_what_is_no_id_is_refused(tmp_path: Path, stated: object) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": stated}))
    with pytest.raises(LoadError, match="no token ids"):
        stop_tokens(open_checkpoint(FOLDER), None, tmp_path)
