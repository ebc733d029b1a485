from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.vocabulary import (
    CONTROL,
    NORMAL,
    Vocabulary,
    apr_keys,
    apr_vocabulary,
    gguf_keys,
    gguf_vocabulary,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
VOCABULARIES = st.lists(TEXT, min_size=1, max_size=6).flatmap(
    lambda tokens: st.builds(
        Vocabulary,
        model=st.sampled_from(["gpt2", "llama"]),
        pre=st.none() | st.just("qwen2"),
        tokens=st.just(tuple(tokens)),
        types=st.tuples(*[st.integers(1, 6) for _ in tokens]),
        merges=st.lists(TEXT, max_size=3).map(tuple),
        scores=st.just(())
        | st.tuples(*[st.floats(width=32, allow_nan=False, allow_infinity=False) for _ in tokens]),
        ids=st.dictionaries(
            st.sampled_from(["bos", "eos", "padding", "unknown"]), st.integers(0, len(tokens) - 1)
        ),
        add_bos=st.none() | st.booleans(),
        chat_template=st.none() | TEXT,
    )
)


@given(VOCABULARIES)
def test_it_goes_through_the_keys_of_both_formats(vocabulary: Vocabulary) -> None:
    finite = dataclasses.replace(vocabulary, scores=tuple(s for s in vocabulary.scores if abs(s) < 1e30))
    if len(finite.scores) not in {0, len(finite.tokens)}:
        finite = dataclasses.replace(finite, scores=())
    assert apr_vocabulary(apr_keys(finite), "x") == finite
    plain = {key: getattr(value, "value", value) for key, value in gguf_keys(finite).items()}
    assert gguf_vocabulary(plain, "x") == finite


def test_it_goes_through_files_of_both_formats(tmp_path: Path) -> None:
    vocabulary = Vocabulary(
        "gpt2",
        "qwen2",
        ("a", "b", "ab", "<|im_end|>"),
        (1, 1, 1, 3),
        ("a b",),
        (),
        {"eos": 3},
        False,
        "{{ x }}",
    )
    write_gguf(str(tmp_path / "x.gguf"), [], gguf_keys(vocabulary))
    assert gguf_vocabulary(open_checkpoint(tmp_path / "x.gguf").metadata, "x") == vocabulary
    write_apr(str(tmp_path / "x.apr"), [], apr_keys(vocabulary))
    assert apr_vocabulary(open_checkpoint(tmp_path / "x.apr").metadata, "x") == vocabulary


def test_an_older_file_is_read_by_what_its_tokens_look_like() -> None:
    found = apr_vocabulary({"tokenizer.vocabulary": ["a", "<|im_end|>"], "tokenizer.model": "BPE"}, "x")
    assert found is not None
    assert (found.model, found.types) == ("gpt2", (NORMAL, CONTROL))
    assert apr_vocabulary({}, "x") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokenizer.ggml.tokens": "abc"}, "no array"),
        ({"tokenizer.ggml.tokens": [1, 2]}, "no array"),
        ({"tokenizer.ggml.token_type": [1]}, "2 tokens and 1 token types"),
        ({"tokenizer.ggml.scores": [1.0]}, "2 tokens and 1 scores"),
        ({"tokenizer.ggml.scores": ["1", "2"]}, "no array"),
        ({"tokenizer.ggml.scores": [1.0, float("nan")]}, "no small numbers"),
        ({"tokenizer.ggml.scores": [1.0, 10**400]}, "no small number"),
        ({"tokenizer.ggml.token_type": [1, 2**40]}, "no small numbers"),
        ({"tokenizer.ggml.token_type": [1, -1]}, "no small numbers"),
        ({"tokenizer.ggml.eos_token_id": 2}, "special ids outside"),
        ({"tokenizer.ggml.eos_token_id": -1}, "special ids outside"),
        ({"tokenizer.ggml.eos_token_id": True}, "is a bool"),
        ({"tokenizer.ggml.model": 7}, "is a int"),
        ({"tokenizer.ggml.merges": 7}, "no array"),
        ({"tokenizer.chat_template": ["a"]}, "is a list"),
    ],
)
def test_types_of_somebody_elses_metadata_are_not_believed(changes: dict[str, object], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        gguf_vocabulary({"tokenizer.ggml.tokens": ["a", "b"], **changes}, "x")
