"""The numbers that shape a decoder, read from its checkpoint and held against its tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pv_runtime.config import config_of, parameter
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint

__all__ = ["Architecture", "architecture_of", "check_tensors", "tensor_shapes"]

_IGNORED = ("rotary_emb.inv_freq",)
"""Tensors that older files carry, and that everybody computes instead."""


@dataclasses.dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder of pre-norm blocks with rotary positions, grouped queries and SwiGLU.

    Parameters
    ----------
    family
        ``"qwen2"`` or ``"llama"``.
    hidden_size, intermediate_size
        Width of the residual stream, and of the feed-forward part.
    layers
        Number of blocks.
    heads, kv_heads, head_dim
        Query heads, key and value heads (a divisor of `heads`), and the values in each.
    vocab_size
        Rows of the embedding; the tokenizer may know fewer tokens.
    max_positions
        Length of the context it was trained for.
    rope_theta, rms_norm_eps
        Base of the rotary frequencies, and ε of the norms.
    qkv_bias, tied
        Whether q, k and v have biases, and whether the head is the embedding.
    """

    family: str
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    max_positions: int
    rope_theta: float
    rms_norm_eps: float
    qkv_bias: bool
    tied: bool

    @property
    def query_size(self) -> int:
        """Rows of the query projection."""
        return self.heads * self.head_dim

    @property
    def kv_size(self) -> int:
        """Rows of the key projection, and of the value projection."""
        return self.kv_heads * self.head_dim

    @property
    def parameters(self) -> int:
        """Number of weights; a tied head is counted once."""
        return sum(_product(shape) for _, shape in tensor_shapes(self))


def _product(shape: tuple[int, ...]) -> int:
    return shape[0] * shape[1] if len(shape) == 2 else shape[0]


def architecture_of(model: Checkpoint) -> Architecture:
    """Read the architecture out of the file's metadata, or the config.json beside it; no defaults.

    Raises
    ------
    LoadError
        A field is missing, absurd or contradicts another; the family is not known here; or the model
        has a part that is not computed here, which is named.
    """
    config = config_of(model)
    _refuse(config, model.path)
    heads = int(config["num_attention_heads"])
    head_dim = config.get("head_dim")
    if head_dim is None:
        head_dim, left = divmod(int(config["hidden_size"]), heads)
        if left:
            raise LoadError(
                f"its hidden_size {config['hidden_size']} is no multiple of its {heads} heads", model.path
            )
    if head_dim % 2:
        raise LoadError(f"its head_dim is {head_dim}; rotary positions turn pairs", model.path)
    _refuse_native(model, config, int(head_dim))
    return Architecture(
        family=str(config["model_type"]),
        hidden_size=int(config["hidden_size"]),
        intermediate_size=int(config["intermediate_size"]),
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        kv_heads=int(config["num_key_value_heads"]),
        head_dim=int(head_dim),
        vocab_size=int(config["vocab_size"]),
        max_positions=int(config["max_position_embeddings"]),
        rope_theta=float(parameter(config, "rope_theta")),
        rms_norm_eps=float(config["rms_norm_eps"]),
        qkv_bias=config["model_type"] == "qwen2",
        tied=bool(config["tie_word_embeddings"]),
    )


def _refuse(config: Mapping[str, Any], path: str) -> None:
    activation = config.get("hidden_act", "silu")
    if activation not in {"silu", "swish"}:
        raise LoadError(f"its hidden_act is {activation!r}; computed here is silu", path)
    for key in ("use_sliding_window", "attention_bias", "mlp_bias"):
        if config["model_type"] == "qwen2" and key == "attention_bias":
            continue  # qwen2 has biases on q, k and v whatever this says
        if config.get(key):
            raise LoadError(f"its config sets {key}, which is not computed here", path)
    rope = config.get("rope_parameters")
    if rope is not None and not isinstance(rope, Mapping):
        raise LoadError(f"its rope_parameters are {rope!r}, and should be named values", path)
    both = [config.get("rope_theta"), (rope or {}).get("rope_theta")]
    if None not in both and both[0] != both[1]:
        raise LoadError(f"its rope_theta is {both[0]!r}, and {both[1]!r} in its rope_parameters", path)
    share = parameter(config, "partial_rotary_factor")
    if share not in (None, 1):
        raise LoadError(f"rotates a part of each head ({share!r}), which is not computed here", path)
    kinds = config.get("layer_types")
    if kinds is not None and (not isinstance(kinds, list) or any(kind != "full_attention" for kind in kinds)):
        raise LoadError("its layer_types name others than full_attention, which are not computed here", path)


def _refuse_native(model: Checkpoint, config: Mapping[str, Any], head_dim: int) -> None:
    """Refuse what GGUF's keys ask for beside those that a config has a name for."""
    if model.format != "gguf":
        return
    prefix = f"{config['model_type']}."
    turned = model.metadata.get(prefix + "rope.dimension_count")
    if turned not in (None, head_dim):
        raise LoadError(
            f"says {prefix}rope.dimension_count is {turned!r}, and its heads have {head_dim} values: "
            "rotating a part of each head is not computed here",
            model.path,
        )
    for key in ("attention.sliding_window", "rope.scaling.factor", "rope.scale_linear", "attention.scale"):
        value = model.metadata.get(prefix + key)
        if value not in (None, 0, 1):
            raise LoadError(f"says {prefix}{key} is {value!r}, which is not computed here", model.path)


def tensor_shapes(architecture: Architecture) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield name and shape of every tensor, ``(out, in)`` for a matrix; a tied head is left out."""
    a = architecture
    yield "model.embed_tokens.weight", (a.vocab_size, a.hidden_size)
    for layer in range(a.layers):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", (a.hidden_size,)
        for name, rows in (("q", a.query_size), ("k", a.kv_size), ("v", a.kv_size)):
            yield f"{prefix}self_attn.{name}_proj.weight", (rows, a.hidden_size)
            if a.qkv_bias:
                yield f"{prefix}self_attn.{name}_proj.bias", (rows,)
        yield prefix + "self_attn.o_proj.weight", (a.hidden_size, a.query_size)
        yield prefix + "post_attention_layernorm.weight", (a.hidden_size,)
        for name in ("gate", "up"):
            yield f"{prefix}mlp.{name}_proj.weight", (a.intermediate_size, a.hidden_size)
        yield prefix + "mlp.down_proj.weight", (a.hidden_size, a.intermediate_size)
    yield "model.norm.weight", (a.hidden_size,)
    if not a.tied:
        yield "lm_head.weight", (a.vocab_size, a.hidden_size)


def check_tensors(architecture: Architecture, model: Checkpoint) -> None:
    """Hold the tensors against the architecture: each is there, of its shape, and no other one.

    A tied model may carry its head again; whether the two are equal is `config.require_one_head`'s.

    Raises
    ------
    LoadError
        Names what is missing, of another shape, or unknown: a tensor that nobody reads is a part of
        the model that nobody computes.
    """
    names = set(model.names())
    if architecture.layers > len(names):  # before listing what so many would need
        raise LoadError(
            f"its config says that num_hidden_layers is {architecture.layers}; it has {len(names)} tensors",
            model.path,
        )
    expected = dict(tensor_shapes(architecture))
    if missing := [name for name in expected if name not in names]:
        raise LoadError(f"lacks {_listed(missing)}, which its config asks for", model.path)
    wrong = [
        f"{name} {list(model.info(name).shape)} instead of {list(shape)}"
        for name, shape in expected.items()
        if model.info(name).shape != shape
    ]
    if wrong:
        raise LoadError(f"its config contradicts its tensors: {_listed(wrong)}", model.path)
    known = {*expected, "lm_head.weight"}
    if extra := sorted(name for name in names - known if not name.endswith(_IGNORED)):
        raise LoadError(
            f"has {_listed(extra)}, which {architecture.family} does not compute with",
            model.path,
            "its config may name the wrong family",
        )


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return ", ".join(items[:3]) + more
