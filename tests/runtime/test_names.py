from __future__ import annotations

import pytest
from gguf import MODEL_ARCH, TensorNameMap
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.names import gguf_name, hf_name

PARTS = [
    "input_layernorm.weight",
    "post_attention_layernorm.weight",
    *(f"self_attn.{part}_proj.{kind}" for part in "qkv" for kind in ("weight", "bias")),
    "self_attn.o_proj.weight",
    *(f"mlp.{part}_proj.weight" for part in ("gate", "up", "down")),
]
WHOLE = ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"]


@pytest.mark.parametrize("name", [*WHOLE, *(f"model.layers.{i}.{p}" for i in (0, 27) for p in PARTS)])
def test_names_are_those_of_the_gguf_package(name: str) -> None:
    table = TensorNameMap(MODEL_ARCH.QWEN2, 28)
    assert gguf_name(name) == table.get_name(name, try_suffixes=(".weight", ".bias"))
    assert hf_name(gguf_name(name)) == name


@given(st.text())
def test_unknown_names_are_kept(name: str) -> None:
    if name not in WHOLE:
        assert gguf_name(name) == name
        assert hf_name(gguf_name(name)) in {name, hf_name(name)}


@pytest.mark.parametrize(
    "name", ["blk.01.attn_q.weight", "blk.0.attn_q.scale", "blk.0.attn_rot.weight", "xblk.0.attn_q.weight"]
)
def test_near_misses_are_kept(name: str) -> None:
    assert hf_name(name) == name
