"""Shapes of tokenizer.json that ended in a panic or in an error of the library: found by fuzzing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.errors import LoadError, ModelError
from pv_runtime.tokenizer import tokenizer_in

_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def whole(**model: Any) -> dict[str, Any]:
    bpe = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]], **model}
    return {"version": "1.0", "added_tokens": [], "pre_tokenizer": _LEVEL, "decoder": _LEVEL, "model": bpe}


def written(folder: Path, text: str, config: object = None) -> Path:
    (folder / "tokenizer.json").write_text(text)
    (folder / "tokenizer_config.json").write_text(json.dumps(config or {}))
    return folder


def test_the_honest_one_is_read(tmp_path: Path) -> None:
    assert tokenizer_in(written(tmp_path, json.dumps(whole()))).encode("ab") == [2]


@pytest.mark.parametrize("merge", ["a b", ["a", "b"]])
def test_a_merge_that_makes_no_token(merge: object, tmp_path: Path) -> None:
    """The library panics over it, which no `except Exception` catches."""
    text = json.dumps(whole(vocab={"a": 0, "b": 2}, merges=[merge]))
    with pytest.raises(LoadError, match="has merges that make 'ab', which is no token of it"):
        tokenizer_in(written(tmp_path, text))


def test_a_token_that_stands_twice(tmp_path: Path) -> None:
    text = json.dumps(whole()).replace('"b": 1', '"b": 1, "b": 1')
    with pytest.raises(LoadError, match="the JSON key 'b' occurs twice"):
        tokenizer_in(written(tmp_path, text))


def test_a_number_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="the JSON holds NaN"):
        tokenizer_in(written(tmp_path, json.dumps(whole(dropout=float("nan")))))


def test_an_unknown_token_that_is_unknown(tmp_path: Path) -> None:
    odd = whole()
    odd["model"] |= {"unk_token": "none"}
    tokenizer = tokenizer_in(written(tmp_path, json.dumps(odd)))
    with pytest.raises(ModelError, match="no answer for the text"):
        tokenizer.encode("zab")


def test_a_template_whose_name_is_a_list(tmp_path: Path) -> None:
    config = {"chat_template": [{"name": ["default"], "template": "x"}, {"name": "default", "template": "y"}]}
    assert tokenizer_in(written(tmp_path, json.dumps(whole()), config)).chat_template == "y"
