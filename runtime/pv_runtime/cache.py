"""Keys and values of the positions computed so far."""

from __future__ import annotations

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture

__all__ = ["Cache"]


class Cache:
    """Keys and values of each block, ``[batch, kv_heads, length, head_dim]``, grown by doubling.

    `length` counts the positions that all blocks have; it is moved by `advance`, once a forward pass.
    """

    def __init__(
        self,
        architecture: Architecture,
        batch: int = 1,
        *,
        capacity: int = 256,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        shape = (batch, architecture.kv_heads, capacity, architecture.head_dim)
        self._kept = [
            (torch.zeros(shape, dtype=dtype, device=device), torch.zeros(shape, dtype=dtype, device=device))
            for _ in range(architecture.layers)
        ]
        self.attended = torch.zeros((batch, 0), dtype=torch.bool, device=device)
        self.length = 0

    def room(self, layer: int, count: int) -> tuple[Tensor, Tensor]:
        """Return the whole of block `layer`'s keys and values, with room for `count` positions more.

        Both are ``[batch, kv_heads, capacity, head_dim]`` and lie in one piece.
        """
        end = self.length + count
        if end > self._kept[layer][0].shape[2]:
            self._kept[layer] = (_longer(self._kept[layer][0], end), _longer(self._kept[layer][1], end))
        return self._kept[layer]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put `keys` and `values`, ``[batch, kv_heads, new, head_dim]``, behind the others; return all."""
        end = self.length + keys.shape[2]
        kept_keys, kept_values = self.room(layer, keys.shape[2])
        kept_keys[:, :, self.length : end] = keys
        kept_values[:, :, self.length : end] = values
        return kept_keys[:, :, :end], kept_values[:, :, :end]

    def advance(self, attended: Tensor) -> None:
        """Count the positions just computed; `attended` bool ``[batch, new]``, False for padding."""
        self.attended = torch.cat([self.attended, attended], dim=1)
        self.length += attended.shape[1]


def _longer(kept: Tensor, needed: int) -> Tensor:
    batch, heads, capacity, width = kept.shape
    longer = kept.new_zeros((batch, heads, max(needed, 2 * capacity), width))
    longer[:, :, :capacity] = kept
    return longer
