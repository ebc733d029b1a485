"""Implementations of a decoder behind one protocol: ours, and others' as outside oracles."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pv_runtime.backends.protocol import Backend
from pv_runtime.backends.reference import ReferenceBackend
from pv_runtime.errors import ModelError
from pv_runtime.formats import Checkpoint

__all__ = ["BACKENDS", "Backend", "ReferenceBackend", "open_backend"]


def _reference(model: Checkpoint, dtype: torch.dtype) -> Backend:
    return ReferenceBackend.open(model, dtype=dtype)


def _transformers(model: Checkpoint, dtype: torch.dtype) -> Backend:
    from pv_runtime.backends.transformers import TransformersBackend  # seconds to import

    return TransformersBackend.open(model, dtype=dtype)


def _llama_cpp(model: Checkpoint, dtype: torch.dtype) -> Backend:
    from pv_runtime.backends.llama_cpp import LlamaCppBackend  # not installed everywhere

    return LlamaCppBackend.open(model, dtype=dtype)


BACKENDS: dict[str, Callable[[Checkpoint, torch.dtype], Backend]] = {
    "reference": _reference,
    "transformers": _transformers,
    "llama.cpp": _llama_cpp,
}
"""Names of back-ends, and what opens a checkpoint with each."""


def open_backend(name: str, model: Checkpoint, *, dtype: torch.dtype = torch.float32) -> Backend:
    """Load `model` into the back-end `name`.

    Raises
    ------
    ModelError
        No back-end has this name, or its library is not installed.
    LoadError
        The model cannot be loaded, or not by this back-end.
    """
    if name not in BACKENDS:
        raise ModelError(f"there is no back-end {name!r}; there are {', '.join(BACKENDS)}")
    return BACKENDS[name](model, dtype)
