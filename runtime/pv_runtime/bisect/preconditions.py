"""What must be equal before two implementations can be compared, stage by stage."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor

from pv_runtime.architecture import Architecture
from pv_runtime.errors import ModelError
from pv_runtime.stages import STAGES

__all__ = ["differing_numbers", "require_dtypes", "require_same_shape", "require_shared", "require_tokens"]

_SHAPE = (
    "hidden_size", "intermediate_size", "layers", "heads", "kv_heads", "head_dim", "vocab_size",
)  # fmt: skip


def require_same_shape(reference: Architecture, candidate: Architecture) -> None:
    """Refuse two models whose stages have other numbers of values; raises `ModelError`."""
    for field in _SHAPE:
        ours, theirs = getattr(reference, field), getattr(candidate, field)
        if ours != theirs:
            raise ModelError(
                f"the reference's {field} is {ours} and the candidate's {theirs}: their stages have no "
                "counterparts"
            )


def differing_numbers(reference: Architecture, candidate: Architecture) -> list[str]:
    """Name the numbers that may differ, and would be found as a wrong stage."""
    return [
        f"the configs differ: {field.name} is {getattr(reference, field.name)} in the reference and "
        f"{getattr(candidate, field.name)} in the candidate"
        for field in dataclasses.fields(Architecture)
        if field.name not in _SHAPE and getattr(reference, field.name) != getattr(candidate, field.name)
    ]


def require_tokens(ours: Tensor, theirs: Tensor) -> None:
    """Refuse other tokens than a trace was made of; raises `ModelError`."""
    if ours.shape != theirs.shape or not torch.equal(ours, theirs):
        first = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
        where = f"they differ at {first}" if first is not None else "one is longer"
        raise ModelError(
            f"the trace is of {len(theirs)} tokens and these are {len(ours)}; {where}: "
            "a trace answers for its own tokens only (leave --tokens and --payload out)"
        )


def require_dtypes(ours: str, theirs: str) -> None:
    """Refuse two dtypes of computation where nobody asked for two; raises `ModelError`."""
    if ours != theirs:
        raise ModelError(
            f"the reference computes in {ours} and the candidate in {theirs}: a difference would be rounding "
            f"(say --reference-dtype {theirs}, or --mixed-dtypes to judge by the coarser one)"
        )


def require_shared(shown: Iterable[str], what: str) -> None:
    """Refuse a trace of stages that are none of ours, or of none; raises `ModelError`."""
    names = set(shown)
    if unknown := sorted(names - set(STAGES)):
        raise ModelError(
            f"{what} has stages {unknown[:3]}, which are captured nowhere here: {', '.join(STAGES)}"
        )
    if not names:
        raise ModelError(f"{what} has no stages")
