"""Weights of any shape, random, made where they are computed with: speed does not ask what they are.

Making seven billion numbers on the processor and moving them would take longer than all that is measured.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.triton_matrix import PackedMatrix, PlainMatrix, StackedMatrix
from pv_runtime.triton_weights import TritonLayer

__all__ = ["DeviceWeights", "Form", "decoded", "plain", "random_weights"]

Form = Literal["plain", "Q4_K"]
"""Matrices in the dtype of the computation, or all in Q4_K."""
_BLOCK, _BYTES = 256, 144
_DEVIATION = 250.0
"""Of a weight ``(d sc) q - (dmin m)`` over d, where codes and scales are drawn evenly and dmin is 7.5 d."""


@dataclasses.dataclass(frozen=True)
class DeviceWeights:
    """What `TritonDecoder` asks of its weights: see `TritonWeights`."""

    architecture: Architecture
    dtype: torch.dtype
    device: str
    embedding: Tensor
    final_norm: Tensor
    head: StackedMatrix
    layers: tuple[TritonLayer, ...]

    def layer(self, index: int) -> TritonLayer:
        """Return the weights of block `index`."""
        return self.layers[index]

    @property
    def bytes_per_token(self) -> int:
        """What a step has to read: every matrix, norm and bias once; of the embedding one row."""
        vectors = [self.final_norm, self.embedding[:1]]
        matrices = [self.head]
        for layer in self.layers:
            vectors += [layer.attn_norm, layer.ffn_norm]
            vectors += [] if layer.qkv_bias is None else [layer.qkv_bias]
            matrices += [layer.qkv, layer.attn_out, layer.gate_up, layer.down]
        return sum(vector.nbytes for vector in vectors) + sum(matrix.nbytes for matrix in matrices)


def random_weights(
    architecture: Architecture, form: Form, dtype: torch.dtype, device: str, seed: int = 0
) -> DeviceWeights:
    """Draw weights: matrices with a deviation of 1/sqrt(columns), norms about 1, biases about 0.

    Parameters
    ----------
    architecture
        The shapes; of Q4_K, columns are whole blocks of 256.
    form
        Of the matrices; the embedding, norms and biases are of `dtype`.
    dtype
        Of the computation.
    device
        As torch names it.
    seed
        The same one draws the same on one device.
    """
    generator = torch.Generator(device=device).manual_seed(seed)
    a = architecture

    def normal(*shape: int, deviation: float = 1.0, mean: float = 0.0) -> Tensor:
        place = torch.empty(shape, dtype=dtype, device=device)
        return place.normal_(mean, deviation, generator=generator)

    def matrix(rows: int, columns: int) -> StackedMatrix:
        if form == "plain":
            return StackedMatrix((PlainMatrix(normal(rows, columns, deviation=1 / math.sqrt(columns))),))
        return StackedMatrix((PackedMatrix("Q4_K", _packed(generator, rows, columns)),))

    def layer() -> TritonLayer:
        return TritonLayer(
            attn_norm=normal(a.hidden_size, deviation=0.2, mean=1.0),
            qkv=matrix(a.query_size + 2 * a.kv_size, a.hidden_size),
            qkv_bias=normal(a.query_size + 2 * a.kv_size, deviation=0.2) if a.qkv_bias else None,
            attn_out=matrix(a.hidden_size, a.query_size),
            ffn_norm=normal(a.hidden_size, deviation=0.2, mean=1.0),
            gate_up=matrix(2 * a.intermediate_size, a.hidden_size),
            down=matrix(a.hidden_size, a.intermediate_size),
        )

    return DeviceWeights(
        architecture=a,
        dtype=dtype,
        device=device,
        embedding=normal(a.vocab_size, a.hidden_size),
        final_norm=normal(a.hidden_size, deviation=0.2, mean=1.0),
        head=matrix(a.vocab_size, a.hidden_size),
        layers=tuple(layer() for _ in range(a.layers)),
    )


def _packed(generator: torch.Generator, rows: int, columns: int) -> Tensor:
    """Draw Q4_K ``[rows, bytes]``: codes and scales evenly, d and dmin for the deviation of weights."""
    shape = (rows, columns // _BLOCK, _BYTES)
    device = generator.device
    blocks = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8, device=device)
    d = 1 / (_DEVIATION * math.sqrt(columns))
    factors = torch.tensor([d, 7.5 * d], dtype=torch.float16, device=device)
    blocks[..., :4] = factors.view(torch.uint8)
    return blocks.reshape(rows, -1)


def decoded(packed: Tensor, dtype: torch.dtype) -> Tensor:
    """Decode Q4_K ``[rows, bytes]`` to ``[rows, columns]``, on its device, as the layout is written down.

    Source: ggml's ``block_q4_K``: d and dmin, 8 scales and 8 minima of 6 bits in 12 bytes, and 128 bytes of
    codes, in groups of 32 whose low halves come first.
    """
    blocks = packed.view(len(packed), -1, _BYTES)
    factors = blocks[..., :4].contiguous().view(torch.float16).float()
    d, least = factors[..., :1, None], factors[..., 1:, None]
    low, high, last = (blocks[..., at : at + 4].int() for at in (4, 8, 12))
    scales = torch.cat([low & 63, last & 15 | low >> 6 << 4], dim=-1)
    minima = torch.cat([high & 63, last >> 4 | high >> 6 << 4], dim=-1)
    codes = blocks[..., 16:].unflatten(-1, (4, 32))
    codes = torch.stack([codes & 15, codes >> 4], dim=-2).flatten(-3, -2)
    return (d * scales[..., None] * codes - least * minima[..., None]).to(dtype).flatten(1)


def plain(weights: DeviceWeights) -> DeviceWeights:
    """Return the same weights with every matrix decoded to the dtype of the computation."""

    def opened(matrix: StackedMatrix) -> StackedMatrix:
        # A part at a time: decoding takes many times the memory of what it decodes.
        parts = [
            PlainMatrix(torch.cat([decoded(rows, weights.dtype) for rows in part.packed.split(2048)]))
            if isinstance(part, PackedMatrix)
            else part
            for part in matrix.parts
        ]
        return StackedMatrix(tuple(parts))

    layers = tuple(
        dataclasses.replace(
            layer,
            qkv=opened(layer.qkv),
            attn_out=opened(layer.attn_out),
            gate_up=opened(layer.gate_up),
            down=opened(layer.down),
        )
        for layer in weights.layers
    )
    return dataclasses.replace(weights, head=opened(weights.head), layers=layers)
