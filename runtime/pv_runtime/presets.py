"""Architectures by name, as their authors published them in config.json.

Nothing that reads a model uses these: a model says itself what it is. They are for shapes without weights:
benchmarks, training from nothing, and what a file should say.
"""

from __future__ import annotations

from typing import Any

from pv_runtime.architecture import Architecture

__all__ = ["PRESETS", "config_json"]


def _qwen2(
    hidden: int, intermediate: int, layers: int, heads: int, kv_heads: int, vocab: int, tied: bool
) -> Architecture:
    return Architecture(
        family="qwen2",
        hidden_size=hidden,
        intermediate_size=intermediate,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=hidden // heads,
        vocab_size=vocab,
        max_positions=32768,
        rope_theta=1e6,
        rms_norm_eps=1e-6,
        qkv_bias=True,
        tied=tied,
    )


def _llama(
    hidden: int, intermediate: int, layers: int, heads: int, kv_heads: int, vocab: int, tied: bool
) -> Architecture:
    return Architecture(
        family="llama",
        hidden_size=hidden,
        intermediate_size=intermediate,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=hidden // heads,
        vocab_size=vocab,
        max_positions=2048,
        rope_theta=1e4,
        rms_norm_eps=1e-5,
        qkv_bias=False,
        tied=tied,
    )


PRESETS: dict[str, Architecture] = {
    "qwen2.5-0.5b": _qwen2(896, 4864, 24, 14, 2, 151936, tied=True),
    "qwen2.5-1.5b": _qwen2(1536, 8960, 28, 12, 2, 151936, tied=True),
    "qwen2.5-7b": _qwen2(3584, 18944, 28, 28, 4, 152064, tied=False),
    "llama-370m": _llama(1024, 2816, 24, 16, 4, 50257, tied=True),
    "tinyllama-1.1b": _llama(2048, 5632, 22, 32, 4, 32000, tied=False),
}
"""Name to architecture.

Sources: config.json of Qwen/Qwen2.5-0.5B-Instruct, -1.5B-Instruct and -7B-Instruct (the 7B without suffix
says 131072 positions), of TinyLlama/TinyLlama-1.1B-Chat-v1.0; `llama-370m` is the shape that the aprender
project trains from nothing, whose positions and ε are not published and are Llama's usual ones.
"""

_CLASSES = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}


def config_json(architecture: Architecture) -> dict[str, Any]:
    """Return the config.json of a model of this architecture; `architecture_of` reads it back.

    ``head_dim`` is written only where it does not follow from the other numbers, as its authors do.
    """
    a = architecture
    config: dict[str, Any] = {
        "architectures": [_CLASSES[a.family]],
        "model_type": a.family,
        "hidden_act": "silu",
        "hidden_size": a.hidden_size,
        "intermediate_size": a.intermediate_size,
        "num_hidden_layers": a.layers,
        "num_attention_heads": a.heads,
        "num_key_value_heads": a.kv_heads,
        "vocab_size": a.vocab_size,
        "max_position_embeddings": a.max_positions,
        "rope_theta": a.rope_theta,
        "rms_norm_eps": a.rms_norm_eps,
        "tie_word_embeddings": a.tied,
    }
    if a.head_dim * a.heads != a.hidden_size:
        config["head_dim"] = a.head_dim
    return config
