"""Our own decoder with our Triton kernels, as a back-end."""

from __future__ import annotations

import torch
import triton

from pv_runtime.backends.reference import DecoderBackend
from pv_runtime.formats import Checkpoint
from pv_runtime.stages import STAGES
from pv_runtime.triton_decoder import TritonDecoder
from pv_runtime.triton_weights import load_triton_weights

__all__ = ["TritonBackend"]


class TritonBackend(DecoderBackend):
    """`TritonDecoder` behind `Backend`: it shows every stage.

    It does not take the sums of the residual, which the kernel that adds has normalised already when they are
    shown, nor `ffn_silu`, which SwiGLU keeps to itself.

    Parameters
    ----------
    decoder
        With its weights.
    """

    name = "triton"
    version = str(triton.__version__)
    shows = frozenset(STAGES)
    takes = frozenset(STAGES) - {"ffn_silu", "post_attn_residual", "layer_output"}

    def __init__(self, decoder: TritonDecoder) -> None:
        super().__init__(decoder)
        self.interpreted = decoder.interpreted

    @classmethod
    def open(
        cls, model: Checkpoint, *, dtype: torch.dtype = torch.float32, device: str = "cpu"
    ) -> TritonBackend:
        """Load any checkpoint whose heads the kernels are written for; on the CPU it is interpreted."""
        return cls(TritonDecoder(load_triton_weights(model, dtype=dtype, device=device)))
