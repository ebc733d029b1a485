from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tokenizers", reason="the runtime extra is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from models.recipe.tokenizer import (
    SPECIAL_TOKENS,
    VOCABULARY_SIZE,
    encode_documents,
    read_tokenizer,
    train_tokenizer,
    write_tokenizer,
)

SHIPPED = Path(__file__).parents[3] / "models" / "tiny-qwen2"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return read_tokenizer(SHIPPED)


@given(text=st.text(alphabet=st.characters(max_codepoint=0x7F) | st.sampled_from("éß漢字🙂\u00a0")))
@settings(deadline=None)
def test_normal_text_comes_back(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_every_byte_has_a_token(tokenizer: Any) -> None:
    text = "".join(map(chr, range(0x100))) + "\U0001f642"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_digits_stand_alone(tokenizer: Any) -> None:
    assert [tokenizer.decode([token]) for token in tokenizer.encode("2024").ids] == ["2", "0", "2", "4"]


def test_special_tokens_are_the_last(tokenizer: Any) -> None:
    first = VOCABULARY_SIZE - len(SPECIAL_TOKENS)
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(first, VOCABULARY_SIZE))


def test_each_document_ends_in_end_of_text(tokenizer: Any) -> None:
    end = tokenizer.token_to_id("<|endoftext|>")
    tokens = encode_documents(tokenizer, ["a = 1\n", "b = 2\n"])
    assert tokens[-1] == end
    assert int((tokens == end).sum()) == 2


def test_training_is_deterministic_and_refuses_too_little_text(tmp_path: Path) -> None:
    library = Path(sysconfig.get_paths()["stdlib"])
    texts = [
        path.read_text("utf-8")
        for part in ("asyncio", "email")
        for path in sorted((library / part).glob("*.py"))
    ]
    one, other = train_tokenizer(texts), train_tokenizer(texts)
    assert one.to_str() == other.to_str()
    write_tokenizer(one, tmp_path, context=512)
    assert read_tokenizer(tmp_path).to_str() == one.to_str()
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert settings["model_max_length"] == 512
    with pytest.raises(ValueError, match="more text is needed"):
        train_tokenizer(["x = 1\n"])
