"""Which tokens a step learns from: a function of the seed and the step alone.

A position is the number of sequences that were taken before. It is all that has to be remembered of the data,
and any process can compute any batch by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pv_runtime.pretrain.errors import TrainingError
from pv_runtime.pretrain.shards import Tokens

__all__ = ["Batches", "windows_of"]


class Batches:
    """Sequences of several shards in a shuffled order, each once an epoch.

    A shard of n tokens holds (n - 1) // length sequences, which follow each other without overlap; each
    brings one token more, the target of its last one.

    Parameters
    ----------
    shards
        Tokens; at least one sequence in all.
    length
        Tokens of a sequence.
    seed
        Another one is another order.

    Raises
    ------
    TrainingError
        A shard is shorter than one sequence.
    """

    def __init__(self, shards: Sequence[Tokens], length: int, seed: int) -> None:
        for shard in shards:
            if shard.ids.size <= length:
                raise TrainingError(
                    "too-little-data",
                    f"{shard.name} has {shard.ids.size} tokens, and one sequence takes {length} and "
                    "the one after",
                    "name a smaller --seq-length, or more text",
                )
        self.shards = tuple(shards)
        self.length = length
        self.seed = seed
        self._ends = np.cumsum([(shard.ids.size - 1) // length for shard in shards])
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    @property
    def sequences(self) -> int:
        """How many there are in an epoch."""
        return int(self._ends[-1])

    def batch(self, position: int, size: int) -> tuple[Tensor, Tensor]:
        """Return sequences `position` to `position` + `size` of all epochs, and their targets.

        Returns
        -------
        tuple[Tensor, Tensor]
            int64 ``[size, length]`` each; a target is the token after the one at its place.
        """
        rows = np.stack([self._sequence(self._index(position + row)) for row in range(size)])
        tokens = torch.from_numpy(rows.astype(np.int64))
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def _index(self, position: int) -> int:
        epoch, within = divmod(position, self.sequences)
        if epoch != self._epoch:
            self._order = np.random.default_rng([self.seed, epoch]).permutation(self.sequences)
            self._epoch = epoch
        return int(self._order[within])

    def _sequence(self, index: int) -> NDArray[np.uint32]:
        shard = int(np.searchsorted(self._ends, index, side="right"))
        start = (index - (int(self._ends[shard - 1]) if shard else 0)) * self.length
        return self.shards[shard].ids[start : start + self.length + 1]


def windows_of(shards: Sequence[Tokens], length: int, most: int) -> Tensor:
    """Return the first windows of held-out tokens, without overlap: int64 ``[windows, length]``.

    Parameters
    ----------
    shards
        Held-out tokens.
    length
        Tokens of a window; each is predicted but the first.
    most
        How many there are at most.

    Raises
    ------
    TrainingError
        They do not fill one window.
    """
    rows: list[NDArray[np.uint32]] = []
    for shard in shards:
        count = min(shard.ids.size // length, most - len(rows))
        rows.extend(shard.ids[: count * length].reshape(count, length))
    if not rows:
        tokens = sum(shard.ids.size for shard in shards)
        raise TrainingError(
            "too-little-data",
            f"{tokens} tokens are held out, and one sequence takes {length}",
            "name a smaller --seq-length, or a --val-shard that is longer",
        )
    return torch.from_numpy(np.stack(rows).astype(np.int64))
