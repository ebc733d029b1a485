from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pv_runtime.formats.overlay import LazyTensor, from_values
from pv_runtime.formats.safetensors import write_safetensors

CONFIG = {
    "model_type": "qwen2",
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "vocab_size": 96,
    "tie_word_embeddings": True,
}


def layer_shapes(hidden: int, feed_forward: int, kv: int) -> dict[str, tuple[int, ...]]:
    return {
        "input_layernorm.weight": (hidden,),
        "mlp.down_proj.weight": (hidden, feed_forward),
        "mlp.gate_proj.weight": (feed_forward, hidden),
        "mlp.up_proj.weight": (feed_forward, hidden),
        "post_attention_layernorm.weight": (hidden,),
        "self_attn.k_proj.bias": (kv,),
        "self_attn.k_proj.weight": (kv, hidden),
        "self_attn.o_proj.weight": (hidden, hidden),
        "self_attn.q_proj.bias": (hidden,),
        "self_attn.q_proj.weight": (hidden, hidden),
        "self_attn.v_proj.bias": (kv,),
        "self_attn.v_proj.weight": (kv, hidden),
    }


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of qwen2's shape in fp16: safetensors with its config.json."""
    folder = tmp_path_factory.mktemp("model")
    generator = np.random.default_rng(20)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (96, 256)}
    for layer in range(2):
        for name, shape in layer_shapes(256, 512, 128).items():
            shapes[f"model.layers.{layer}.{name}"] = shape
    shapes["model.norm.weight"] = (256,)
    tensors: list[LazyTensor] = []
    for name, shape in shapes.items():
        values = (generator.standard_normal(shape) * 0.02).astype(np.float32)
        tensors.append(from_values(name, shape, lambda values=values: values, "F16"))  # type: ignore[misc]
    write_safetensors(str(folder / "model.safetensors"), [(each.info, each.raw) for each in tensors])
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder
