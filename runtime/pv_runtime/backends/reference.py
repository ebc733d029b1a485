"""Our own decoder as a back-end: it shows and takes every stage."""

from __future__ import annotations

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder
from pv_runtime.stages import STAGES, Tap, untapped
from pv_runtime.weights import load_weights

__all__ = ["DecoderBackend", "ReferenceBackend"]


class DecoderBackend:
    """A `Decoder`, which can keep a cache from pass to pass, as `Backend` asks for it.

    Parameters
    ----------
    decoder
        With its weights.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder

    @property
    def architecture(self) -> Architecture:
        """The numbers of the model."""
        return self.decoder.architecture

    def forward(self, tokens: Tensor, *, attended: Tensor | None = None, tap: Tap = untapped) -> Tensor:
        """Compute logits: see `Backend.forward`."""
        tokens = tokens.to(self.decoder.weights.device)
        return self.decoder.forward(tokens, attended=attended, tap=tap)


class ReferenceBackend(DecoderBackend):
    """Our own decoder, which others are held against."""

    name = "reference"
    version = torch.__version__
    shows = frozenset(STAGES)
    takes = frozenset(STAGES)

    @classmethod
    def open(
        cls,
        model: Checkpoint,
        *,
        dtype: torch.dtype = torch.float32,
        streamed: bool = False,
        device: str = "cpu",
    ) -> ReferenceBackend:
        """Load any checkpoint; `streamed` holds one block in memory at a time."""
        return cls(Decoder(load_weights(model, dtype=dtype, streamed=streamed, device=device)))
