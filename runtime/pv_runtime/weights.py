"""The weights of a decoder as tensors, straight from any checkpoint: all at once, or block by block."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture, architecture_of, check_tensors
from pv_runtime.canonical import canonical
from pv_runtime.config import config_of, require_one_head
from pv_runtime.formats import Checkpoint
from pv_runtime.memory import require_memory

__all__ = ["LayerWeights", "StreamedWeights", "Weights", "load_weights"]


@dataclasses.dataclass(frozen=True, slots=True)
class LayerWeights:
    """One block's weights; matrices are ``[out, in]``.

    Parameters
    ----------
    attn_norm, ffn_norm
        ``[hidden]``.
    qkv, qkv_bias
        Rows of q, k and v below each other: ``[query + 2 kv, hidden]``, and the bias or None.
    attn_out
        ``[hidden, query]``.
    gate, up
        ``[intermediate, hidden]``.
    down
        ``[hidden, intermediate]``.
    """

    attn_norm: Tensor
    qkv: Tensor
    qkv_bias: Tensor | None
    attn_out: Tensor
    ffn_norm: Tensor
    gate: Tensor
    up: Tensor
    down: Tensor


class StreamedWeights:
    """Weights that are decoded when a block is asked for, and belong to nobody afterwards.

    Parameters
    ----------
    model
        As `load_weights` hands it over: checked, and laid out as Hugging Face's.
    """

    def __init__(
        self, model: Checkpoint, architecture: Architecture, dtype: torch.dtype, device: str
    ) -> None:
        self._model = model
        self.architecture = architecture
        self.dtype = dtype
        self.device = device

    def layer(self, index: int) -> LayerWeights:
        """Decode the weights of block `index`."""
        prefix = f"model.layers.{index}."
        attention, feed_forward = prefix + "self_attn.", prefix + "mlp."
        biased = self.architecture.qkv_bias
        return LayerWeights(
            attn_norm=self._tensor(prefix + "input_layernorm.weight"),
            qkv=torch.cat([self._tensor(f"{attention}{part}_proj.weight") for part in "qkv"]),
            qkv_bias=torch.cat([self._tensor(f"{attention}{part}_proj.bias") for part in "qkv"])
            if biased
            else None,
            attn_out=self._tensor(attention + "o_proj.weight"),
            ffn_norm=self._tensor(prefix + "post_attention_layernorm.weight"),
            gate=self._tensor(feed_forward + "gate_proj.weight"),
            up=self._tensor(feed_forward + "up_proj.weight"),
            down=self._tensor(feed_forward + "down_proj.weight"),
        )

    @property
    def embedding(self) -> Tensor:
        """``[vocab, hidden]``."""
        return self._tensor("model.embed_tokens.weight")

    @property
    def final_norm(self) -> Tensor:
        """``[hidden]``."""
        return self._tensor("model.norm.weight")

    @property
    def head(self) -> Tensor:
        """``[vocab, hidden]``; the embedding where the model is tied."""
        return self.embedding if self.architecture.tied else self._tensor("lm_head.weight")

    def _tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self._model.tensor(name)).to(self.device, self.dtype)


class Weights:
    """All weights in memory. A tied head is the embedding itself, not a copy."""

    def __init__(self, source: StreamedWeights) -> None:
        self.architecture = source.architecture
        self.dtype = source.dtype
        self.device = source.device
        self.embedding = source.embedding
        self.final_norm = source.final_norm
        self.head = self.embedding if self.architecture.tied else source.head
        self._layers = [source.layer(index) for index in range(self.architecture.layers)]

    def layer(self, index: int) -> LayerWeights:
        """Return the weights of block `index`."""
        return self._layers[index]


def load_weights(
    model: Checkpoint,
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    streamed: bool = False,
) -> Weights | StreamedWeights:
    """Load the weights of `model` as `dtype`; block formats are dequantised.

    With `streamed`, a block's weights are decoded each time that block is computed, and one block is in
    memory at a time: slow, and for models that do not fit.

    Raises
    ------
    LoadError
        The model is of no known architecture, its tensors contradict its config, or it does not fit in
        memory, which is said before anything is loaded.
    """
    architecture = architecture_of(model)
    view = canonical(model, config_of(model))
    check_tensors(architecture, view)
    require_one_head(view, config_of(model))
    source = StreamedWeights(view, architecture, dtype, device)
    if streamed:
        return source
    if device == "cpu":
        require_memory(architecture.parameters * dtype.itemsize, "its weights", model.path)
    return Weights(source)
