# ruff: noqa: E402 - what follows a skip needs what the skip looks for
from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the runtime extra is not installed")
pytest.importorskip("tokenizers", reason="the runtime extra is not installed")

from models.recipe.decoder import Decoder, Shape
from models.recipe.export import read_decoder, write_settings, write_weights
from models.recipe.tokenizer import read_tokenizer

MODELS = Path(__file__).parents[3] / "models"
SMALL = Shape("small", hidden=32, layers=1, heads=4, key_value_heads=2, feed_forward=48, vocabulary=64)


def test_weights_come_back_rounded_to_half(tmp_path: Path) -> None:
    decoder = Decoder(SMALL)
    write_weights(decoder, tmp_path)
    for name, parameter in read_decoder(tmp_path, SMALL).state_dict().items():
        assert torch.equal(parameter, decoder.state_dict()[name].half().float()), name
    mode = stat.S_IMODE((tmp_path / "model.safetensors").stat().st_mode)
    assert mode == 0o644


def test_a_weight_too_large_for_half_is_refused_by_name(tmp_path: Path) -> None:
    decoder = Decoder(SMALL)
    with torch.no_grad():
        decoder.get_parameter("model.layers.0.mlp.up_proj.weight")[0, 0] = 1e5
    with pytest.raises(OverflowError, match=r"up_proj\.weight"):
        write_weights(decoder, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


def test_the_settings_name_the_tokens_that_end_a_text(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(MODELS / "tiny-qwen2")
    write_settings(SMALL, tokenizer, tmp_path)
    ends = json.loads((tmp_path / "generation_config.json").read_text())["eos_token_id"]
    assert ends == [tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")]
