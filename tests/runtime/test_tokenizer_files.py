from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.tokenizer_files import FILES, chat_template, files_of, folder_vocabulary
from pv_runtime.vocabulary import UNUSED, Vocabulary

MODEL = Path(__file__).resolve().parents[2] / "models/tiny-qwen2"


def read(size: int = 4096) -> Vocabulary:
    found = folder_vocabulary(MODEL, size)
    assert found is not None
    return found


def test_the_shipped_tokenizer_is_read() -> None:
    found = read()
    assert (found.pre, len(found.tokens), len(found.merges)) == ("qwen2", 4096, 3832)
    assert found.tokens[4088] == "<|endoftext|>"
    assert found.ids == {"eos": 4088, "padding": 4088}
    assert found.chat_template is not None


def test_rows_without_a_token_are_filled_up_and_left_out_again() -> None:
    found = read(4100)
    assert found.tokens[4099] == "[PAD4099]"
    assert set(found.types[4096:]) == {UNUSED}
    whole = json.loads(files_of(found, "x")["tokenizer.json"])
    assert len(whole["model"]["vocab"]) + len(whole["added_tokens"]) == 4096


def test_the_files_say_the_same_again(tmp_path: Path) -> None:
    found = read()
    for name, text in files_of(found, "x").items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert folder_vocabulary(tmp_path, 4096) == found
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


OURS = tokenizers.Tokenizer.from_str(files_of(read(), "x")["tokenizer.json"])
THEIRS = tokenizers.Tokenizer.from_file(str(MODEL / "tokenizer.json"))


@settings(deadline=None)
@given(st.text() | st.sampled_from(["<|im_start|>user\nhi<|im_end|>", "it's 2+2=4\n\n  x", "e\u0301"]))
def test_a_text_is_encoded_as_by_the_original(text: str) -> None:
    assert OURS.encode(text).ids == THEIRS.encode(text).ids


def altered(folder: Path, change: Any) -> Path:
    shutil.copytree(MODEL, folder)
    whole = json.loads((folder / "tokenizer.json").read_text())
    change(whole)
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["model"].update(type="Unigram"), "no counterpart"),
        (lambda t: t["model"].update(byte_fallback=True), "no counterpart"),
        (lambda t: t["model"].update(end_of_word_suffix="</w>"), "no counterpart"),
        (lambda t: t.update(normalizer={"type": "Lowercase"}), "no counterpart"),
        (lambda t: t.update(pre_tokenizer={"type": "Whitespace"}), "no counterpart"),
        (lambda t: t["pre_tokenizer"]["pretokenizers"][0]["pattern"].update(Regex="."), "no counterpart"),
        (lambda t: t["pre_tokenizer"]["pretokenizers"][1].update(add_prefix_space=True), "no counterpart"),
        (lambda t: t["model"]["merges"].append(["a", "b c"]), "no pair of tokens"),
        (lambda t: t["model"]["vocab"].update(new=4096), "outside the embedding's 4096 rows"),
        (lambda t: t["added_tokens"].append({"id": "4"}), "shape of a tokenizer"),
        (lambda t: t["added_tokens"].append({"id": 9, "content": 9}), "a token that is no text"),
        (lambda t: t["added_tokens"].append({"id": 9, "content": "a"}), "'a' under two ids"),
        (lambda t: t.update(model=[]), "lacks a model"),
        (lambda t: t.update(pre_tokenizer=7), "shape of a tokenizer"),
    ],
)
def test_what_is_not_translated_is_refused_by_name(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        folder_vocabulary(altered(tmp_path / "m", change), 4096)


def test_files_that_are_no_json_and_none_at_all(tmp_path: Path) -> None:
    assert folder_vocabulary(tmp_path, 10) is None
    for text in ("[]", "{", "[" * 100_000, f'{{"a": [{"[]," * (1 << 21)}[]]}}'):
        (tmp_path / "tokenizer.json").write_text(text)
        with pytest.raises(LoadError, match=r"cannot be read|no JSON object"):
            folder_vocabulary(tmp_path, 10)


def test_a_vocabulary_without_a_counterpart_is_refused_by_name() -> None:
    for vocabulary in (Vocabulary("llama", None, ("a",), (1,)), Vocabulary("gpt2", "deepseek", ("a",), (1,))):
        with pytest.raises(LoadError, match="no counterpart"):
            files_of(vocabulary, "x")


def test_a_template_is_carried_whole_or_refused(tmp_path: Path) -> None:
    with (tmp_path / "chat_template.jinja").open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(LoadError, match="exceeds"):
        chat_template(tmp_path, {})


def test_a_token_with_two_ids_has_no_counterpart() -> None:
    twice = Vocabulary("gpt2", "qwen2", ("a", "b", "a"), (1, 1, 4))
    with pytest.raises(LoadError, match="'a' under two ids"):
        files_of(twice, "x")
