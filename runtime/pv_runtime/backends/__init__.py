"""Implementations of a decoder behind one protocol: ours, and others' as outside oracles."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pv_runtime.backends.protocol import Backend
from pv_runtime.backends.reference import DecoderBackend, ReferenceBackend
from pv_runtime.errors import ModelError
from pv_runtime.formats import Checkpoint

__all__ = ["BACKENDS", "Backend", "DecoderBackend", "ReferenceBackend", "open_backend", "require_device"]


def _reference(model: Checkpoint, dtype: torch.dtype, device: str) -> Backend:
    return ReferenceBackend.open(model, dtype=dtype, device=device)


def _triton(model: Checkpoint, dtype: torch.dtype, device: str) -> Backend:
    from pv_runtime.backends.triton import TritonBackend  # seconds to import

    return TritonBackend.open(model, dtype=dtype, device=device)


def _transformers(model: Checkpoint, dtype: torch.dtype, device: str) -> Backend:
    _require_cpu("transformers", device)
    from pv_runtime.backends.transformers import TransformersBackend  # seconds to import

    return TransformersBackend.open(model, dtype=dtype)


def _llama_cpp(model: Checkpoint, dtype: torch.dtype, device: str) -> Backend:
    _require_cpu("llama.cpp", device)
    from pv_runtime.backends.llama_cpp import LlamaCppBackend  # not installed everywhere

    return LlamaCppBackend.open(model, dtype=dtype)


BACKENDS: dict[str, Callable[[Checkpoint, torch.dtype, str], Backend]] = {
    "reference": _reference,
    "triton": _triton,
    "transformers": _transformers,
    "llama.cpp": _llama_cpp,
}
"""Names of back-ends, and what opens a checkpoint with each."""


def open_backend(
    name: str, model: Checkpoint, *, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> Backend:
    """Load `model` into the back-end `name`, for computing on `device`.

    Raises
    ------
    ModelError
        No back-end has this name, its library is not installed, or it does not compute there.
    LoadError
        The model cannot be loaded, or not by this back-end.
    """
    if name not in BACKENDS:
        raise ModelError(f"there is no back-end {name!r}; there are {', '.join(BACKENDS)}")
    require_device(device)
    return BACKENDS[name](model, dtype, device)


def require_device(device: str) -> None:
    """Refuse a GPU that is not there; raises `ModelError`."""
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ModelError("there is no GPU here that torch can use; leave --device out")


def _require_cpu(name: str, device: str) -> None:
    if torch.device(device).type != "cpu":
        raise ModelError(f"the back-end {name} is asked for on the CPU only, and not on {device}")
