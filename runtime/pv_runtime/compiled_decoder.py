"""The decoder, with blocks that are compiled where one token follows another."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pv_runtime.cache import Cache
from pv_runtime.compiled_block import decode_block
from pv_runtime.model import Decoder, Rotation
from pv_runtime.stages import Tap, untapped
from pv_runtime.weights import LayerWeights, StreamedWeights, Weights

__all__ = ["CompiledDecoder"]


class CompiledDecoder(Decoder):
    """Computes what `Decoder` computes, sums in another order.

    Compiled are the steps of decoding: one sequence, one new token, a cache, no tap, and matrices that
    `load_weights` kept as float16. All else is `Decoder`'s.
    """

    def __init__(self, weights: Weights | StreamedWeights) -> None:
        super().__init__(weights)
        self._arrays = (
            [_arrays(weights.layer(index)) for index in range(self.architecture.layers)]
            if (isinstance(weights, Weights))
            else [None] * self.architecture.layers
        )

    def block(
        self, index: int, x: Tensor, rotation: Rotation, mask: Tensor | None, cache: Cache | None, tap: Tap
    ) -> Tensor:
        """Compute block `index`: see `Decoder.block`."""
        arrays = self._arrays[index]
        if (
            arrays is None
            or cache is None
            or tap is not untapped
            or mask is not None
            or x.numel() != x.shape[2]
        ):
            return super().block(index, x, rotation, mask, cache, tap)
        keys, values = cache.room(index, 1)
        half = self.architecture.head_dim // 2
        cos, sin = (part.view(-1).numpy()[half:] for part in rotation)
        result = x.clone()
        decode_block(
            result.view(-1).numpy(), arrays, keys[0].numpy(), values[0].numpy(), cache.length, cos, sin,
            np.float32(self.architecture.rms_norm_eps), self.architecture.heads,
        )  # fmt: skip
        return result


def _arrays(weights: LayerWeights) -> tuple[np.ndarray, ...] | None:
    """Return what `decode_block` takes; None where a matrix is no float16."""
    matrices = [weights.qkv, weights.attn_out, weights.gate, weights.up, weights.down]
    if any(each.dtype != torch.float16 for each in matrices):
        return None
    qkv, attn_out, gate, up, down = (each.numpy().view(np.uint16) for each in matrices)
    bias = np.empty(0, np.float32) if weights.qkv_bias is None else weights.qkv_bias.numpy()
    norms = weights.attn_norm.numpy(), weights.ffn_norm.numpy()
    return norms[0], qkv, bias, attn_out, norms[1], gate, up, down
