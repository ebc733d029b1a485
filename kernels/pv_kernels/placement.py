"""Samples are drawn on the CPU; this puts them where a kernel is to run, as they lie in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["on_device", "placed"]


def placed(value: Any, device: str) -> Any:
    """Return `value`, if a tensor with its strides and offset on `device`; anything else as it is."""
    if not isinstance(value, Tensor) or device == "cpu":
        return value
    storage = value.untyped_storage().to(device=torch.device(device))
    place = torch.empty(0, dtype=value.dtype, device=device)
    return place.set_(storage, value.storage_offset(), value.shape, value.stride())


def on_device(call: Callable[..., Any], device: str) -> Callable[..., Any]:
    """Return `call` with its tensors put on `device`, and its results brought back to the CPU."""
    if device == "cpu":
        return call

    def moved(*arguments: Any, **keywords: Any) -> Any:
        given = [placed(value, device) for value in arguments]
        named = {name: placed(value, device) for name, value in keywords.items()}
        results = call(*given, **named)
        return results.cpu() if isinstance(results, Tensor) else tuple(result.cpu() for result in results)

    return moved
