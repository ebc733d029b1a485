"""The decoder that generates quickest here; `model.Decoder` is the one to hold others against."""

from __future__ import annotations

import torch

from pv_runtime import compiled
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder
from pv_runtime.weights import load_weights

__all__ = ["quickest"]


def quickest(
    model: Checkpoint,
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    streamed: bool = False,
    finite: bool = False,
    backend: str = "reference",
) -> Decoder:
    """Load `model` for generating: float16 matrices kept as they are stored, and compiled steps.

    Without numba, or with another `dtype`, it is a plain `Decoder`. The `backend` ``"triton"`` is one that
    computes with our kernels: on a GPU, or by Triton's interpreter on the CPU.

    Raises
    ------
    LoadError
        As `load_weights` raises it, or `load_triton_weights`.
    """
    if backend == "triton":
        from pv_runtime.triton_decoder import TritonDecoder  # seconds to import
        from pv_runtime.triton_weights import load_triton_weights

        return TritonDecoder(load_triton_weights(model, dtype=dtype, device=device, finite=finite))
    weights = load_weights(
        model, dtype=dtype, device=device, streamed=streamed, finite=finite, as_stored=True
    )
    if not compiled.available() or dtype != torch.float32:
        return Decoder(weights)
    from pv_runtime.compiled_decoder import CompiledDecoder  # numba is imported with it

    return CompiledDecoder(weights)
