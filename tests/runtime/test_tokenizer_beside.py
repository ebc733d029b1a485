from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.tokenizer_beside import Beside, tokenizer_beside
from tokenizers import Tokenizer, models, trainers

TENSOR = from_values("w", (2,), lambda: np.zeros(2, np.float32), "F32")


def beside(folder: Path, **files: str) -> Beside | None:
    write_safetensors(str(folder / "model.safetensors"), [(TENSOR.info, TENSOR.raw)])
    for name, text in files.items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return tokenizer_beside(open_checkpoint(folder / "model.safetensors"))


@pytest.mark.parametrize("kind", ["BPE", "WordPiece", "WordLevel", "Unigram"])
def test_every_kind_that_tokenizers_writes(kind: str, tmp_path: Path) -> None:
    tokenizer = Tokenizer(getattr(models, kind)())
    trainer = getattr(trainers, {"BPE": "BpeTrainer"}.get(kind, f"{kind}Trainer"))
    words = ["<eos>"]
    tokenizer.train_from_iterator(
        ["some words to learn, and some more"] * 3, trainer(vocab_size=40, special_tokens=words)
    )
    found = beside(
        tmp_path,
        tokenizer=tokenizer.to_str(),
        tokenizer_config=json.dumps({"eos_token": {"content": "<eos>"}}),
    )
    assert found is not None
    assert found.said is not None
    assert (found.said["model"], found.said["tokens"]) == (kind, tokenizer.get_vocab_size())
    assert found.tokens == tuple(tokenizer.id_to_token(n) for n in range(tokenizer.get_vocab_size()))
    assert (found.said["eos_token_id"], found.said["bos_token_id"]) == (tokenizer.token_to_id("<eos>"), None)
    assert found.said["chat_template"] is False


def test_ids_without_a_token(tmp_path: Path) -> None:
    found = beside(tmp_path, tokenizer=json.dumps({"model": {"type": "BPE", "vocab": {"a": 0, "c": 2}}}))
    assert found is not None
    assert found.tokens == ("a", None, "c")


def test_none_lies_there(tmp_path: Path) -> None:
    assert beside(tmp_path) is None
    write_gguf(str(tmp_path / "x.gguf"), [(TENSOR.info, TENSOR.raw)], {})
    (tmp_path / "tokenizer.json").write_text("{}")
    assert tokenizer_beside(open_checkpoint(tmp_path / "x.gguf")) is None  # it carries its own, or has none


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["model", "vocab", "type", "merges", "added_tokens", "id"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    whole=anything
    | st.fixed_dictionaries({"model": st.fixed_dictionaries({"vocab": anything}), "added_tokens": anything})
)
def test_whatever_lies_there_is_a_remark_and_no_error(
    tmp_path_factory: pytest.TempPathFactory, whole: object
) -> None:
    folder = tmp_path_factory.getbasetemp() / "beside"
    folder.mkdir(exist_ok=True)
    found = beside(folder, tokenizer=json.dumps(whole))
    assert found is not None
    assert (found.said is None) == (found.trouble is not None)
