"""The weights that our kernels compute with: matrices in the block formats they read stay as they are stored.

Q4_K, Q6_K and Q8_0 go to the device as the bytes of the file. What is in another format is dequantised
once, while it is loaded. So is the embedding, of which rows are looked up; but a quantised head is multiplied
from its bytes even where it is the embedding.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from pv_kernels.heads import HEAD_DIMS
from torch import Tensor

from pv_runtime.architecture import Architecture, architecture_of
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint
from pv_runtime.triton_matrix import PRODUCTS, PackedMatrix, PlainMatrix, StackedMatrix, stacked
from pv_runtime.weights import StreamedWeights, checked

__all__ = ["TritonLayer", "TritonWeights", "load_triton_weights", "require_head_dim"]


@dataclasses.dataclass(frozen=True, slots=True)
class TritonLayer:
    """One block's weights.

    Parameters
    ----------
    attn_norm, ffn_norm
        ``[hidden]``.
    qkv, qkv_bias
        Rows of q, k and v below each other, and their bias or None.
    attn_out, down
        Rows of the projections back.
    gate_up
        Rows of the gate, and below them those of the up projection.
    """

    attn_norm: Tensor
    qkv: StackedMatrix
    qkv_bias: Tensor | None
    attn_out: StackedMatrix
    ffn_norm: Tensor
    gate_up: StackedMatrix
    down: StackedMatrix


class TritonWeights:
    """All weights on one device.

    Parameters
    ----------
    source
        What decodes a tensor for the device, in the dtype of the computation.
    view
        The checkpoint that `source` reads, with Hugging Face's names and rows.
    """

    def __init__(self, source: StreamedWeights, view: Checkpoint) -> None:
        self._source, self._view = source, view
        self.architecture: Architecture = source.architecture
        self.dtype = source.dtype
        self.device = source.device
        self.embedding = source.embedding
        self.final_norm = source.final_norm
        self.head = self._head()
        self._layers = [self._layer(index) for index in range(self.architecture.layers)]

    def layer(self, index: int) -> TritonLayer:
        """Return the weights of block `index`."""
        return self._layers[index]

    def _head(self) -> StackedMatrix:
        name = "model.embed_tokens.weight" if self.architecture.tied else "lm_head.weight"
        if self.architecture.tied and self._view.info(name).dtype not in PRODUCTS:
            return StackedMatrix((PlainMatrix(self.embedding),))
        return stacked([self._matrix(name)])

    def _layer(self, index: int) -> TritonLayer:
        prefix = f"model.layers.{index}."
        attention, feed_forward = prefix + "self_attn.", prefix + "mlp."
        biases = [f"{attention}{part}_proj.bias" for part in "qkv"]
        return TritonLayer(
            attn_norm=self._source.tensor(prefix + "input_layernorm.weight"),
            qkv=stacked(self._matrix(f"{attention}{part}_proj.weight") for part in "qkv"),
            qkv_bias=torch.cat([self._source.tensor(name) for name in biases])
            if self.architecture.qkv_bias
            else None,
            attn_out=stacked([self._matrix(attention + "o_proj.weight")]),
            ffn_norm=self._source.tensor(prefix + "post_attention_layernorm.weight"),
            gate_up=stacked(self._matrix(f"{feed_forward}{part}_proj.weight") for part in ("gate", "up")),
            down=stacked([self._matrix(feed_forward + "down_proj.weight")]),
        )

    def _matrix(self, name: str) -> PlainMatrix | PackedMatrix:
        info = self._view.info(name)
        if info.dtype not in PRODUCTS:
            return PlainMatrix(self._source.tensor(name))
        if self._source.finite:
            self._source.tensor(name)  # decoded to be looked at, and dropped
        packed = torch.from_numpy(np.array(self._view.raw(name))).view(info.shape[0], -1)
        return PackedMatrix(info.dtype, packed.to(self.device))


def require_head_dim(architecture: Architecture, path: str) -> None:
    """Refuse heads that no kernel is written for.

    Raises
    ------
    LoadError
        Names the size, and those that there are kernels for.
    """
    if architecture.head_dim not in HEAD_DIMS:
        known = ", ".join(map(str, HEAD_DIMS))
        raise LoadError(
            f"its head_dim is {architecture.head_dim}, and the attention kernels are written for {known}",
            path,
            "compute it with --backend reference",
        )


def load_triton_weights(
    model: Checkpoint, *, dtype: torch.dtype = torch.float32, device: str = "cpu", finite: bool = False
) -> TritonWeights:
    """Load the weights of `model` for our kernels.

    Parameters
    ----------
    model
        Any checkpoint.
    dtype
        Of the computation, and of every weight that is not kept as it is stored.
    device
        ``"cpu"`` for the interpreter, or ``"cuda"``.
    finite
        Whether a tensor with a value that is NaN or infinite is refused by name.

    Raises
    ------
    LoadError
        As `load_weights` raises it; or no kernel is written for heads of this size, which is said before
        anything is loaded.
    """
    require_head_dim(architecture_of(model), model.path)
    architecture, view = checked(model)
    source = StreamedWeights(view, architecture, dtype, device, finite=finite)
    return TritonWeights(source, view)
