"""The weights of a decoder as tensors, straight from any checkpoint: all at once, or block by block."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import Tensor

from pv_runtime import compiled
from pv_runtime.architecture import Architecture, architecture_of, check_tensors, tensor_shapes
from pv_runtime.canonical import canonical
from pv_runtime.config import config_of, require_one_head
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint
from pv_runtime.formats.checkpoint import TensorInfo
from pv_runtime.memory import require_memory

__all__ = ["LayerWeights", "StreamedWeights", "Weights", "checked", "load_weights"]


_SMALL_BLOCK = 4 << 20
"""Weights of a block up to which one thread reads them, as float16, out of its caches."""


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
    architecture, dtype, device
        Its numbers; what its tensors become, and where.
    finite
        Whether a tensor with a value that is NaN or infinite is refused.
    as_stored
        Whether matrices of F16 stay float16, whatever `dtype`.
    """

    def __init__(
        self,
        model: Checkpoint,
        architecture: Architecture,
        dtype: torch.dtype,
        device: str,
        *,
        finite: bool = False,
        as_stored: bool = False,
    ) -> None:
        self._model = model
        self.architecture = architecture
        self.dtype = dtype
        self.device = device
        self.finite = finite
        self.as_stored = as_stored

    def layer(self, index: int) -> LayerWeights:
        """Decode the weights of block `index`."""
        prefix = f"model.layers.{index}."
        attention, feed_forward = prefix + "self_attn.", prefix + "mlp."
        biased = self.architecture.qkv_bias
        return LayerWeights(
            attn_norm=self.tensor(prefix + "input_layernorm.weight"),
            qkv=torch.cat([self.tensor(f"{attention}{part}_proj.weight") for part in "qkv"]),
            qkv_bias=torch.cat([self.tensor(f"{attention}{part}_proj.bias") for part in "qkv"])
            if biased
            else None,
            attn_out=self.tensor(attention + "o_proj.weight"),
            ffn_norm=self.tensor(prefix + "post_attention_layernorm.weight"),
            gate=self.tensor(feed_forward + "gate_proj.weight"),
            up=self.tensor(feed_forward + "up_proj.weight"),
            down=self.tensor(feed_forward + "down_proj.weight"),
        )

    @property
    def embedding(self) -> Tensor:
        """``[vocab, hidden]``."""
        return self.tensor("model.embed_tokens.weight")

    @property
    def final_norm(self) -> Tensor:
        """``[hidden]``."""
        return self.tensor("model.norm.weight")

    @property
    def head(self) -> Tensor:
        """``[vocab, hidden]``; the embedding where the model is tied."""
        return self.embedding if self.architecture.tied else self.tensor("lm_head.weight")

    def tensor(self, name: str) -> Tensor:
        """Decode one tensor, by Hugging Face's name, in its shape."""
        if self.as_stored and _stays(self._model.info(name)):
            halves = np.array(self._model.raw(name)).view(np.float16)
            values = decoded = torch.from_numpy(halves).view(self._model.info(name).shape)
        else:
            values = torch.from_numpy(self._model.tensor(name))
            decoded = values.to(self.device, self.dtype)
        if self.finite and (bad := _not_finite(decoded)):
            what = "NaN or infinite" if _not_finite(values) else f"beyond {self.dtype}"
            raise LoadError(
                f"{name} has {bad} value{'s' if bad > 1 else ''} that {'are' if bad > 1 else 'is'} {what}",
                self._model.path,
                "`apr trace` shows what becomes of them",
            )
        return decoded


def _stays(info: TensorInfo) -> bool:
    return info.dtype == "F16" and len(info.shape) == 2


def _not_finite(values: Tensor) -> int:
    """Count what is NaN or infinite; a sum of finite weights is finite, and quicker to have."""
    return int((~values.isfinite()).sum()) if not values.float().sum().isfinite() else 0


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
    finite: bool = False,
    as_stored: bool = False,
) -> Weights | StreamedWeights:
    """Load the weights of `model` as `dtype`; block formats are dequantised.

    With `streamed`, a block's weights are decoded each time that block is computed, and one block is in
    memory at a time: slow, and for models that do not fit. With `finite`, a tensor that has NaN or infinite
    values as `dtype` is refused by name when it is decoded.

    With `as_stored`, matrices of F16 stay so and are widened as they are multiplied: the same values in half
    of the memory, and the quickest way to decode a small model. It holds for float32 on the CPU, blocks of up
    to 4 million weights, and where compiled code can be had; it is no error elsewhere. Products with larger
    matrices are quicker by torch, in float32 and on all threads.

    Raises
    ------
    LoadError
        The model is of no known architecture, its tensors contradict its config, or it does not fit in
        memory, which is said before anything is loaded.
    """
    architecture, view = checked(model)
    as_stored = as_stored and dtype == torch.float32 and device == "cpu"
    as_stored = as_stored and _block(architecture) <= _SMALL_BLOCK and compiled.available()
    source = StreamedWeights(view, architecture, dtype, device, finite=finite, as_stored=as_stored)
    if device == "cpu":
        require_memory(_bytes(source, view, streamed=streamed), "its weights", model.path)
    return source if streamed else Weights(source)


def checked(model: Checkpoint) -> tuple[Architecture, Checkpoint]:
    """Return the numbers of `model`, and a view of it as Hugging Face lays tensors out; nothing is decoded.

    Raises
    ------
    LoadError
        The model is of no known architecture, or its tensors contradict its config.
    """
    architecture = architecture_of(model)
    view = canonical(model, config_of(model))
    check_tensors(architecture, view)
    require_one_head(view, config_of(model))
    return architecture, view


def _block(architecture: Architecture) -> int:
    """Return the number of weights of a block."""
    return sum(math.prod(shape) for name, shape in tensor_shapes(architecture) if ".layers.0." in name)


def _bytes(source: StreamedWeights, view: Checkpoint, *, streamed: bool) -> int:
    """Return what the weights take while the largest tensor is decoded, which is done in float32.

    Streamed, that is one block or the largest tensor, whichever is more, and not all of them.
    """
    elements = {name: math.prod(shape) for name, shape in tensor_shapes(source.architecture)}
    kept = {
        name: size * (2 if source.as_stored and _stays(view.info(name)) else source.dtype.itemsize)
        for name, size in elements.items()
    }
    decoding = 4 * max(elements.values()) if source.dtype.itemsize < 4 else 0
    if streamed:
        block = sum(size for name, size in kept.items() if name.startswith("model.layers.0."))
        return max(block, *kept.values()) + decoding
    return sum(kept.values()) + decoding
