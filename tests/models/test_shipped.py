"""The shipped files agree with one another: weights, configuration, tokenizer, card."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

MODELS = Path(__file__).parents[2] / "models"
NAMES = ("tiny-qwen2", "tiny-qwen2-7to1")


def read_json(name: str, file: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((MODELS / name / file).read_text(encoding="utf-8"))
    return content


def read_header(name: str) -> dict[str, Any]:
    """The header of a safetensors file: eight bytes of length, then JSON."""
    with (MODELS / name / "model.safetensors").open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, Any] = json.loads(stream.read(length))
    return header


def expected_shapes(config: dict[str, Any]) -> dict[str, list[int]]:
    """The tensors of a tied Qwen2ForCausalLM of this configuration."""
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    narrow = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    shapes = {"model.embed_tokens.weight": [config["vocab_size"], hidden], "model.norm.weight": [hidden]}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        shapes |= {at + "input_layernorm.weight": [hidden], at + "post_attention_layernorm.weight": [hidden]}
        for part, rows in (("q", hidden), ("k", narrow), ("v", narrow)):
            shapes[f"{at}self_attn.{part}_proj.weight"] = [rows, hidden]
            shapes[f"{at}self_attn.{part}_proj.bias"] = [rows]
        shapes[at + "self_attn.o_proj.weight"] = [hidden, hidden]
        shapes |= {f"{at}mlp.{part}_proj.weight": [wide, hidden] for part in ("gate", "up")}
        shapes[at + "mlp.down_proj.weight"] = [hidden, wide]
    return shapes


@pytest.mark.parametrize("name", NAMES)
def test_the_tensors_are_those_of_the_configuration(name: str) -> None:
    header = read_header(name)
    assert header.pop("__metadata__") == {"format": "pt"}
    assert {tensor: entry["shape"] for tensor, entry in header.items()} == expected_shapes(
        read_json(name, "config.json")
    )
    assert {entry["dtype"] for entry in header.values()} == {"F16"}


@pytest.mark.parametrize(("name", "rows"), [("tiny-qwen2", {256, 768}), ("tiny-qwen2-7to1", {224, 768})])
def test_the_rows_are_what_each_model_is_for(name: str, rows: set[int]) -> None:
    shapes = [entry["shape"] for tensor, entry in read_header(name).items() if tensor != "__metadata__"]
    assert {shape[-1] for shape in shapes if len(shape) == 2} == rows


def test_seven_queries_share_a_key() -> None:
    config = read_json("tiny-qwen2-7to1", "config.json")
    assert (config["num_attention_heads"], config["num_key_value_heads"]) == (14, 2)
    assert config["hidden_size"] == 14 * 16


@pytest.mark.parametrize("name", NAMES)
def test_the_card_states_the_digests_and_sizes_of_the_files(name: str) -> None:
    card = read_json(name, "card.json")
    folder = MODELS / name
    for file, path in (
        ("model.safetensors", folder / "model.safetensors"),
        ("tokenizer.json", folder / "tokenizer.json"),
        ("heldout.txt", MODELS / "heldout.txt"),
    ):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == card["sha256"][file], file
        assert card["sha256"][file] in (folder / "README.md").read_text(encoding="utf-8")
    assert (folder / "model.safetensors").stat().st_size == card["model_bytes"] <= 10_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_card_for_people_states_the_loss_of_the_card_for_programs(name: str) -> None:
    card = read_json(name, "card.json")
    assert f"**{card['held_out_loss']:.4f} nats per token**" in (MODELS / name / "README.md").read_text(
        "utf-8"
    )
    assert 3.0 < card["held_out_loss"] < 4.0
    first, last = card["curve"][0], card["curve"][-1]
    assert last[0] == card["steps"]
    assert first[2] == pytest.approx(8.318, abs=0.2)  # ln 4096: nothing known before the first step
    assert last[2] == pytest.approx(card["held_out_loss"], abs=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_held_out_was_trained_on(name: str) -> None:
    data = read_json(name, "card.json")["data"]
    assert not set(data["held_out_files"]) & set(data["training_files"])
    assert len(data["training_files"]) > 300
    assert 60_000 <= data["held_out_bytes"] == (MODELS / "heldout.txt").stat().st_size <= 110_000


def test_the_models_share_one_tokenizer() -> None:
    for file in ("tokenizer.json", "tokenizer_config.json"):
        one, other = ((MODELS / name / file).read_bytes() for name in NAMES)
        assert one == other, file


def test_tokens_write_the_held_out_text_back_byte_for_byte() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the runtime extra is not installed")
    tokenizer = tokenizers.Tokenizer.from_file(str(MODELS / "tiny-qwen2" / "tokenizer.json"))
    text = (MODELS / "heldout.txt").read_bytes()
    identifiers = tokenizer.encode(text.decode()).ids
    assert tokenizer.decode(identifiers).encode() == text
    assert len(identifiers) == read_json("tiny-qwen2", "card.json")["held_out_tokens"]
    assert tokenizer.get_vocab_size() == read_json("tiny-qwen2", "config.json")["vocab_size"] == 4096


@pytest.mark.parametrize("token", ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
def test_a_token_of_chat_is_one_identifier(token: str) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the runtime extra is not installed")
    tokenizer = tokenizers.Tokenizer.from_file(str(MODELS / "tiny-qwen2" / "tokenizer.json"))
    assert tokenizer.encode(token).ids == [tokenizer.token_to_id(token)]
    added = read_json("tiny-qwen2", "tokenizer_config.json")["added_tokens_decoder"]
    assert added[str(tokenizer.token_to_id(token))]["content"] == token
