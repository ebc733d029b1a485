"""Whether decoding step by step says what one pass over the whole text says.

One token at position 0 would not tell: its rotation is the identity, its softmax has one term, and the
cache is empty. Here some positions are computed together and then others one by one, so that positions,
mask and kept keys and values all have a part in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from pv_runtime.errors import ModelError
from pv_runtime.model import Decoder

__all__ = ["LEAST_POSITIONS", "TOLERANCE", "CacheParity", "cache_parity", "random_tokens"]

LEAST_POSITIONS = 16
_TOGETHER = 4

TOLERANCE = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""Most relative L2 distance of a position's logits. Both sides sum in another order, and round each layer."""


@dataclasses.dataclass(frozen=True, slots=True)
class CacheParity:
    """How far the two ways are apart.

    Parameters
    ----------
    positions
        How many were compared.
    distance
        The greatest over positions of |a - b| / |b|, L2 over the vocabulary; infinite where a logit is
        not finite.
    worst
        The position where it is.
    same_top
        Share of positions where both find the same token most likely.
    tolerance
        Most distance that passes.
    """

    positions: int
    distance: float
    worst: int
    same_top: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the distance is within the tolerance."""
        return self.distance <= self.tolerance

    def sentence(self) -> str:
        """Say it for people."""
        return (
            f"cached decoding against one pass over {self.positions} positions: relative distance "
            f"{self.distance:.2g} at position {self.worst}, at most {self.tolerance:g} passes"
        )


def cache_parity(decoder: Decoder, tokens: Sequence[int]) -> CacheParity:
    """Compute `tokens` in one pass, and again some together and the rest one by one, with a cache.

    Raises
    ------
    ModelError
        There are fewer than `LEAST_POSITIONS` tokens, or the model has no answer to them.
    """
    if len(tokens) < LEAST_POSITIONS:
        raise ModelError(f"{len(tokens)} tokens do not show that a cache works: {LEAST_POSITIONS} are needed")
    ids = torch.tensor([list(tokens)], device=decoder.weights.device)
    whole = decoder.forward(ids)[0].double()
    cache = decoder.cache(capacity=_TOGETHER)  # too small on purpose: it must grow, too
    pieces = [ids[:, :_TOGETHER], *torch.split(ids[:, _TOGETHER:], 1, dim=1)]
    stepped = torch.cat([decoder.forward(piece, cache=cache)[0] for piece in pieces]).double()
    return _compare(whole, stepped, TOLERANCE[decoder.weights.dtype])


def _compare(whole: Tensor, stepped: Tensor, tolerance: float) -> CacheParity:
    distances = (stepped - whole).norm(dim=-1) / whole.norm(dim=-1)
    distances = distances.nan_to_num(nan=torch.inf)
    return CacheParity(
        positions=len(whole),
        distance=float(distances.max()),
        worst=int(distances.argmax()),
        same_top=float((whole.argmax(-1) == stepped.argmax(-1)).double().mean()),
        tolerance=tolerance,
    )


def random_tokens(count: int, rows: int, seed: int = 0) -> list[int]:
    """Return `count` token ids below `rows`: what is measured does not depend on a text or tokenizer."""
    drawn = torch.randint(rows, (count,), generator=torch.Generator().manual_seed(seed))
    return [int(number) for number in drawn]
