"""The model that the gates look at, loaded once, and only as far as a gate asks."""

from __future__ import annotations

import functools
from pathlib import Path

import torch

from pv_runtime.architecture import Architecture, architecture_of
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.model import Decoder
from pv_runtime.origin import source_sha256
from pv_runtime.quickest import quickest
from pv_runtime.stop_tokens import stop_tokens
from pv_runtime.tokenizer import Tokenizer, tokenizer_of

__all__ = ["Subject"]


class Subject:
    """A checkpoint, and what is made of it when it is first asked for.

    Parameters
    ----------
    path
        A file, or a folder that holds exactly one model.
    reference
        The same model elsewhere, to be compared with.
    dtype
        Of weights and computation.

    Attributes
    ----------
    rates
        Decoded tokens a second by device, where they were measured.

    Raises
    ------
    LoadError
        A file is broken. So do the properties, where a part of it is.
    """

    def __init__(
        self, path: str, *, reference: Subject | None = None, dtype: torch.dtype = torch.float32
    ) -> None:
        self.path = path
        self.reference = reference
        self.dtype = dtype
        self.folder = Path(path) if Path(path).is_dir() else None
        self.checkpoint: Checkpoint = open_checkpoint(path)
        self.rates: dict[str, float] = {}

    @functools.cached_property
    def architecture(self) -> Architecture:
        """Its numbers."""
        return architecture_of(self.checkpoint)

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        """The one that it carries."""
        return tokenizer_of(self.checkpoint, self.folder, rows=self.architecture.vocab_size)

    @functools.cached_property
    def stop(self) -> frozenset[int]:
        """Tokens that end its texts."""
        return stop_tokens(self.checkpoint, self.tokenizer, self.folder)

    @functools.cached_property
    def decoder(self) -> Decoder:
        """All of it in memory."""
        return self.decoder_on("cpu")

    def decoder_on(self, device: str) -> Decoder:
        """Load it on `device`, anew each time."""
        return quickest(self.checkpoint, dtype=self.dtype, device=device)

    @functools.cached_property
    def sha256(self) -> str:
        """Digest of its weights' file, or of several in the order of their names."""
        return source_sha256(self.checkpoint)
