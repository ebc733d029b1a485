"""Write a trained decoder as Hugging Face's `Qwen2ForCausalLM` expects it: weights and settings."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from .decoder import Decoder, Shape
from .tokenizer import END_OF_TEXT, IM_END


def write_weights(decoder: Decoder, folder: Path) -> None:
    """Write ``model.safetensors``: every tensor F16 under Hugging Face's name, the tied head absent.

    Raises
    ------
    OverflowError
        A weight is outside the range of F16.
    """
    tensors = {}
    for name, parameter in decoder.state_dict().items():
        half = parameter.to(torch.float16).contiguous()
        if not bool(torch.isfinite(half).all()):
            raise OverflowError(f"{name}: a weight is not finite in F16")
        tensors[name] = half
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.safetensors"
    save_file(tensors, str(path), metadata={"format": "pt"})
    path.chmod(0o644)  # the library makes it private to its owner


def read_decoder(folder: Path, shape: Shape) -> Decoder:
    """Return a decoder with the weights of ``model.safetensors``, widened exactly to float32."""
    decoder = Decoder(shape)
    tensors = load_file(str(folder / "model.safetensors"))
    decoder.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return decoder


def write_settings(shape: Shape, tokenizer: Any, folder: Path) -> None:
    """Write ``config.json`` and ``generation_config.json``."""
    end_of_text = tokenizer.token_to_id(END_OF_TEXT)
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.feed_forward,
        "max_position_embeddings": shape.context,
        "max_window_layers": shape.layers,
        "model_type": "qwen2",
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.key_value_heads,
        "pad_token_id": end_of_text,
        "rms_norm_eps": shape.epsilon,
        "rope_scaling": None,
        "rope_theta": shape.rope_theta,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": shape.vocabulary,
    }
    generation = {
        "bos_token_id": end_of_text,
        "do_sample": False,
        "eos_token_id": [tokenizer.token_to_id(IM_END), end_of_text],
        "pad_token_id": end_of_text,
    }
    for name, content in (("config.json", config), ("generation_config.json", generation)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """SHA-256 of a file, in lower-case hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
