"""What every implementation of a decoder can be asked, so that one can be held against another."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.stages import Tap, untapped

__all__ = ["Backend"]


class Backend(Protocol):
    """An implementation of a decoder, with a model loaded.

    The order in which an implementation computes stages that do not depend on each other is its own:
    one computes `ffn_silu` before `ffn_up`, another after it.
    """

    @property
    def name(self) -> str:
        """The name under which `open_backend` knows it."""

    @property
    def version(self) -> str:
        """Of the library that computes."""

    @property
    def architecture(self) -> Architecture:
        """The numbers of the model."""

    @property
    def shows(self) -> frozenset[str]:
        """Stages that a tap is called for."""

    @property
    def takes(self) -> frozenset[str]:
        """Stages where it computes on with what a tap returns; a subset of `shows`.

        Elsewhere what a tap returns is ignored.
        """

    def forward(self, tokens: Tensor, *, attended: Tensor | None = None, tap: Tap = untapped) -> Tensor:
        """Compute logits in one pass, without anything kept from another.

        Parameters
        ----------
        tokens
            int64 ``[batch, tokens]``.
        attended
            bool of the same shape, False for padding; all True by default.
        tap
            Called for the stages in `shows`, with ``[batch, tokens, features]``.

        Returns
        -------
        Tensor
            Float ``[batch, tokens, vocab]``; at padding they mean nothing.

        Raises
        ------
        ModelError
            The model, or this implementation, has no answer to these tokens.
        """
