"""What a model is, in the terms of Hugging Face's config.json, whichever format says it.

Known are the architectures whose tensors and parameters have exact counterparts in all three
formats; another one is refused by name rather than carried over by half.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.formats.apr_metadata import stated
from pv_runtime.formats.checkpoint import Checkpoint
from pv_runtime.formats.strict_json import parse_object

__all__ = [
    "APR_KEYS",
    "FLOATS",
    "GGUF_KEYS",
    "apr_config",
    "carried_config",
    "config_of",
    "expected_tensors",
    "fits_float32",
    "gguf_config",
    "parameter",
    "require_one_head",
]

_CLASSES = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}
FLOATS = {"rms_norm_eps", "rope_theta"}
"""Those of config.json's keys whose values are no integers."""

GGUF_KEYS = {
    "num_hidden_layers": "block_count",
    "max_position_embeddings": "context_length",
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "rms_norm_eps": "attention.layer_norm_rms_epsilon",
    "rope_theta": "rope.freq_base",
}
"""config.json's keys, and GGUF's behind the name of the architecture."""

APR_KEYS = {
    "num_hidden_layers": "num_layers",
    "max_position_embeddings": "max_position_embeddings",
    "hidden_size": "hidden_size",
    "intermediate_size": "intermediate_size",
    "num_attention_heads": "num_heads",
    "num_key_value_heads": "num_kv_heads",
    "rms_norm_eps": "rms_norm_eps",
    "rope_theta": "rope_theta",
    "vocab_size": "vocab_size",
}
"""config.json's keys, and APR's."""

_MOST_LAYERS = 1 << 12
"""The deepest have some hundreds (llama.cpp allows 512). Names are made for each: without a bound, a number
in a file would take as much memory as it likes."""

CONFIG = "config"
"""Metadata key, in safetensors and APR, of the whole config.json; as text in safetensors."""
GGUF_CONFIG = "pv.config"
"""The same in GGUF, as text."""


def config_of(model: Checkpoint) -> dict[str, Any]:
    """Return the model's config.json: the one that the file carries, or one made of its metadata.

    Raises
    ------
    LoadError
        The file does not say what it is, is of an architecture that is not mapped here, or a
        parameter is missing or absurd.
    """
    found = carried_config(model)
    if model.format in _NATIVE:
        found = _agreed(_NATIVE[model.format](model), found, model.path)
    if not found:
        raise LoadError(
            "does not say which architecture it is of",
            model.path,
            "name the folder that holds its config.json, and not the file",
        )
    architecture = found.get("model_type")
    if not isinstance(architecture, str) or architecture not in _CLASSES:
        raise LoadError(
            f"is of the architecture {architecture!r}; mapped between formats are {', '.join(_CLASSES)}",
            model.path,
        )
    if found.get("architectures") is None:
        found["architectures"] = [_CLASSES[architecture]]
    found.setdefault("tie_word_embeddings", "lm_head.weight" not in model.names())
    _check(found, model.path)
    return found


def carried_config(model: Checkpoint) -> dict[str, Any]:
    """Return the config.json that lies beside the file or in its metadata; empty where there is none."""
    value = model.metadata.get(GGUF_CONFIG if model.format == "gguf" else CONFIG)
    if isinstance(value, str):
        try:
            value = parse_object(value.strip().encode(), model.path)
        except LoadError as error:
            raise LoadError(f"the config in its metadata is no JSON: {error.what}", model.path) from error
    return dict(value) if isinstance(value, Mapping) else {}


def _from_gguf(model: Checkpoint) -> dict[str, Any]:
    architecture = model.metadata.get("general.architecture")
    values = {hf: model.metadata.get(f"{architecture}.{key}") for hf, key in GGUF_KEYS.items()}
    if values["num_key_value_heads"] is None:
        values["num_key_value_heads"] = values["num_attention_heads"]
    values["vocab_size"] = _embedding_rows(model)
    if architecture == "llama" and values["rope_theta"] is None:
        values["rope_theta"] = 10000.0  # what llama.cpp takes where the key is left out
    head, scaling = (
        model.metadata.get(f"{architecture}.{key}") for key in ("attention.key_length", "rope.scaling.type")
    )
    return {
        "model_type": architecture,
        **{key: _shortest(value) for key, value in values.items()},
        **({"head_dim": head} if head is not None else {}),
        **({"rope_scaling": {"rope_type": scaling}} if scaling not in (None, "none") else {}),
    }


def _from_apr(model: Checkpoint) -> dict[str, Any]:
    architecture = model.metadata.get("hf_model_type") or model.metadata.get("architecture")
    values = {hf: stated(model.metadata, key) for hf, key in APR_KEYS.items()}
    if values["vocab_size"] is None:
        values["vocab_size"] = _embedding_rows(model)
    tied = model.metadata.get("tie_word_embeddings")
    return {
        "model_type": _short(architecture) if isinstance(architecture, str) else architecture,
        **{key: _shortest(value) for key, value in values.items()},
        **({"tie_word_embeddings": tied} if isinstance(tied, bool) else {}),
    }


_NATIVE = {"gguf": _from_gguf, "apr": _from_apr}


def _agreed(native: dict[str, Any], carried: dict[str, Any], path: str) -> dict[str, Any]:
    """Join what the format's own keys say with the config that the file carries.

    Raises
    ------
    LoadError
        The two differ: there is no telling which is right.
    """
    for key, value in native.items():
        other = parameter(carried, key)
        if None not in (value, other) and value != other:
            raise LoadError(f"says {key} is {value!r}, and in the config it carries {other!r}", path)
    return {**{key: value for key, value in native.items() if parameter(carried, key) is None}, **carried}


def _short(architecture: str) -> str:
    """Return ``qwen2`` for ``Qwen2ForCausalLM``, too, which some writers put in its place."""
    return architecture.lower().removesuffix("forcausallm")


def require_one_head(model: Checkpoint, config: Mapping[str, Any]) -> None:
    """Refuse a model whose config ties the head to the embedding while it has another head.

    Some programs would compute with the one, some with the other. Reads both tensors where there are
    two.

    Raises
    ------
    LoadError
        The two differ.
    """
    embedding, head = "model.embed_tokens.weight", "lm_head.weight"
    names = set(model.names())
    if not config["tie_word_embeddings"] or not {embedding, head} <= names:
        return
    alike = model.info(embedding).dtype == model.info(head).dtype
    if not alike or not np.array_equal(model.raw(embedding), model.raw(head)):
        raise LoadError(
            f"its config ties the head to the embedding, and it has an {head} of other bytes",
            model.path,
            "say in its config which is meant: tie_word_embeddings false, or drop the tensor",
        )


def _embedding_rows(model: Checkpoint) -> int | None:
    name = "model.embed_tokens.weight"
    return model.info(name).shape[0] if name in model.names() and model.info(name).shape else None


def _shortest(value: object) -> object:
    """Return a float32 that was widened as the shortest decimal that rounds to it: 1e-06."""
    return float(str(np.float32(value))) if isinstance(value, float) and fits_float32(value) else value


def fits_float32(value: float) -> bool:
    """Whether a float32 holds exactly this value."""
    try:
        return bool(struct.unpack("<f", struct.pack("<f", value))[0] == value)
    except OverflowError:
        return False


def parameter(config: Mapping[str, Any], key: str) -> Any:
    """Look `key` up, under ``rope_parameters`` too, where newer transformers keep `rope_theta`."""
    nested = config.get("rope_parameters")
    value = config.get(key)
    return nested.get(key) if value is None and isinstance(nested, Mapping) else value


def _check(config: dict[str, Any], path: str) -> None:
    for key in APR_KEYS:
        value = parameter(config, key)
        number = isinstance(value, (int, float) if key in FLOATS else int) and not isinstance(value, bool)
        if not number or not 0 < value < 2**31 or (key == "num_hidden_layers" and value > _MOST_LAYERS):
            raise LoadError(f"its {key} is {value!r}, which no model of its kind can have", path)
    head = config.get("head_dim")
    if head is not None and not (type(head) is int and 0 < head < 2**31):
        raise LoadError(f"its head_dim is {head!r}, which no model of its kind can have", path)
    classes = config["architectures"]
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise LoadError(f"its architectures are {classes!r}, and should be a list of names", path)
    if not isinstance(config["tie_word_embeddings"], bool):
        raise LoadError(f"its tie_word_embeddings is {config['tie_word_embeddings']!r}, no bool", path)
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    if heads % kv_heads:
        raise LoadError(f"has {heads} query heads, no multiple of its {kv_heads} key heads", path)
    for key in ("rope_scaling", "rope_parameters"):
        scaling = config.get(key)
        kind = scaling.get("rope_type", scaling.get("type")) if isinstance(scaling, Mapping) else None
        if kind not in (None, "default"):
            raise LoadError(
                f"scales its rotary embedding ({kind}), which is not mapped between formats", path
            )


def expected_tensors(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors that a model of this config has, without the head where it is tied.

    `config` is one that `config_of` has checked; shapes are outermost first, ``(out, in)``.
    """
    hidden, inner, rows = (config[key] for key in ("hidden_size", "intermediate_size", "vocab_size"))
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head = config.get("head_dim") or hidden // heads
    wide, narrow = head * heads, head * kv_heads
    layer: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj.weight": (wide, hidden),
        "self_attn.k_proj.weight": (narrow, hidden),
        "self_attn.v_proj.weight": (narrow, hidden),
        "self_attn.o_proj.weight": (hidden, wide),
        "mlp.gate_proj.weight": (inner, hidden),
        "mlp.up_proj.weight": (inner, hidden),
        "mlp.down_proj.weight": (hidden, inner),
        "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
    }
    if config["model_type"] == "qwen2":
        layer |= {f"self_attn.{part}_proj.bias": layer[f"self_attn.{part}_proj.weight"][:1] for part in "qkv"}
    return {
        "model.embed_tokens.weight": (rows, hidden),
        "model.norm.weight": (hidden,),
        **({} if config["tie_word_embeddings"] else {"lm_head.weight": (rows, hidden)}),
        **{
            f"model.layers.{number}.{name}": shape
            for number in range(config["num_hidden_layers"])
            for name, shape in layer.items()
        },
    }


def gguf_config(config: Mapping[str, Any]) -> dict[str, object]:
    """Return GGUF's keys for a config that `config_of` has checked."""
    architecture = config["model_type"]
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    keys: dict[str, object] = {"general.architecture": architecture}
    for hf, key in GGUF_KEYS.items():
        value = parameter(config, hf)
        keys[f"{architecture}.{key}"] = float(value) if hf in FLOATS else int(value)
    if architecture == "llama":
        keys["llama.rope.dimension_count"] = head
        keys["llama.vocab_size"] = config["vocab_size"]
    if head * config["num_attention_heads"] != config["hidden_size"]:
        keys[f"{architecture}.attention.key_length"] = head
        keys[f"{architecture}.attention.value_length"] = head
    keys[GGUF_CONFIG] = json.dumps(config, sort_keys=True, ensure_ascii=False)
    return keys


def apr_config(config: Mapping[str, Any]) -> dict[str, object]:
    """Return APR's keys for a config that `config_of` has checked.

    ``rope_type`` 2 says that query and key rows lie as Hugging Face's do, which is how we write them.
    """
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return {
        "architecture": config["model_type"],
        "model_type": config["model_type"],
        "hf_model_type": config["model_type"],
        "hf_architecture": config["architectures"][0],
        **{key: parameter(config, hf) for hf, key in APR_KEYS.items()},
        "head_dim": head,
        "rope_type": 2,
        "tie_word_embeddings": bool(config["tie_word_embeddings"]),
        CONFIG: dict(config),
    }
