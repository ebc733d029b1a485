"""Keys and values of the positions computed so far, where a step that is captured once finds them.

A captured step has addresses, not arguments. So the keys, the values, and how many of them there are lie in
buffers that stay where they are; the step counts them up itself, and nobody has to ask how many there are.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.cache import Cache

__all__ = ["CacheBuffers", "Step", "TritonCache"]


class Step(Protocol):
    """Computes one more token of each sequence, in buffers of its own."""

    def __call__(self, tokens: Tensor) -> Tensor:
        """Compute int64 ``[batch, 1]``; return logits ``[batch, 1, vocab]`` that nobody overwrites."""


class CacheBuffers:
    """What lies on the device.

    Parameters
    ----------
    architecture, batch, capacity, dtype, device
        Of the cache.

    Attributes
    ----------
    kept
        Of each block, ``[batch, capacity, 2 kv_size]``: a position's keys, and its values beside them.
    lengths
        int32 ``[batch]``: the positions that are kept, of each sequence.
    positions
        int64 ``[batch]``: the position of the next token.
    sequences
        int64 ``[batch]``: 0, 1, 2, …
    step
        What computes one more token with these buffers, once somebody asked for it.
    """

    def __init__(
        self, architecture: Architecture, batch: int, capacity: int, dtype: torch.dtype, device: str
    ) -> None:
        self.architecture, self.batch, self.capacity = architecture, batch, capacity
        shape = (batch, capacity, 2 * architecture.kv_size)
        self.kept = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(architecture.layers)]
        self.lengths = torch.zeros(batch, dtype=torch.int32, device=device)
        self.positions = torch.zeros(batch, dtype=torch.int64, device=device)
        self.sequences = torch.arange(batch, device=device)
        self.step: Step | None = None

    def heads(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return the keys and the values of block `layer`, ``[batch, kv_heads, capacity, head_dim]``."""
        return self.split(self.kept[layer])

    def split(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, ``[batch, kv_heads, length, head_dim]``, of what is kept of positions."""
        a = self.architecture
        parts = kept.view(*kept.shape[:2], 2, a.kv_heads, a.head_dim).permute(2, 0, 3, 1, 4)
        return parts[0], parts[1]

    def put_next(self, layer: int, kept: Tensor) -> None:
        """Put ``[batch, 2 kv_size]`` where `positions` says, without asking it."""
        self.kept[layer].index_put_((self.sequences, self.positions), kept)

    def set(self, length: int) -> None:
        """Say that so many positions are kept."""
        self.lengths.fill_(length)
        self.positions.fill_(length)


class TritonCache(Cache):
    """A cache on the device, of a capacity that stays until it is asked for more.

    Parameters
    ----------
    buffers
        Where it keeps things; what they held before is forgotten.
    """

    def __init__(self, buffers: CacheBuffers) -> None:
        self.buffers = buffers
        buffers.set(0)
        self.length = 0

    @property
    def attended(self) -> Tensor:  # type: ignore[override]  # no padding is kept, so that it follows
        """All True, ``[batch, length]``."""
        shape = (self.buffers.batch, self.length)
        return torch.ones(shape, dtype=torch.bool, device=self.buffers.lengths.device)

    def require(self, count: int) -> None:
        """Make room for `count` positions more: buffers twice as large, and no step for them yet."""
        old, end = self.buffers, self.length + count
        if end <= old.capacity:
            return
        kept = old.kept[0]
        capacity = max(end, 2 * old.capacity)
        self.buffers = CacheBuffers(old.architecture, old.batch, capacity, kept.dtype, str(kept.device))
        for new, before in zip(self.buffers.kept, old.kept, strict=True):
            new[:, : self.length] = before[:, : self.length]
        self.buffers.set(self.length)

    def room(self, layer: int, count: int) -> tuple[Tensor, Tensor]:
        """Return the whole of block `layer`'s keys and values: see `Cache.room`; they are views."""
        self.require(count)
        return self.buffers.heads(layer)

    def put(self, layer: int, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Put ``[batch, new, 2 kv_size]`` behind the others; return all keys and all values."""
        end = self.length + kept.shape[1]
        self.buffers.kept[layer][:, self.length : end] = kept
        return self.buffers.split(self.buffers.kept[layer][:, :end])

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put `keys` and `values` behind the others; return all: see `Cache.extend`."""
        self.require(keys.shape[2])
        beside = [part.transpose(1, 2).flatten(2) for part in (keys, values)]
        return self.put(layer, torch.cat(beside, dim=-1))

    def advance(self, attended: Tensor) -> None:
        """Count the positions just computed, all of which are attended."""
        self.length += attended.shape[1]
        self.buffers.set(self.length)
