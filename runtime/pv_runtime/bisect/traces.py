"""Saved traces as one of the two sides."""

from __future__ import annotations

import functools

import torch

from pv_runtime.bisect.bisection import Trace
from pv_runtime.bisect.preconditions import require_shared
from pv_runtime.bisect.recording import Recording
from pv_runtime.errors import ModelError
from pv_runtime.trace_file import open_trace

__all__ = ["loaded"]


def loaded(path: str) -> Trace:
    """Open a trace that `apr trace` saved, or that was imported.

    Raises
    ------
    LoadError
        It is none.
    ModelError
        It does not hold every token, or does not say in which dtype it was computed.
    """
    saved = open_trace(path)
    if saved.origin.positions != tuple(range(len(saved.tokens))):
        raise ModelError(
            f"{path} holds {len(saved.origin.positions)} of {len(saved.tokens)} tokens: the others are "
            "needed to compute attention"
        )
    if saved.origin.dtype is None:
        raise ModelError(f"{path} does not say in which dtype it was computed, and budgets are of a dtype")
    require_shared([stage for stage, _ in saved.stages()], path)
    values = Recording()
    for stage, layer in saved.stages():
        read = functools.partial(saved.tensor, stage, layer)
        values.lend((stage, layer), len(saved.tokens), read)
    made_by = saved.origin.made_by or ""
    by = "llama.cpp" if "llama.cpp" in made_by or "llama-cpp" in made_by else ""
    return Trace(path, torch.tensor(saved.tokens), values, getattr(torch, saved.origin.dtype), by)
