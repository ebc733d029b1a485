"""Where a kernel runs: samples, which are drawn on the CPU, are put there as they lie in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv_kernels.interpreter import interpreting

__all__ = ["backend", "on_device", "placed"]


def backend(device: str) -> contextlib.AbstractContextManager[object]:
    """Return the context in which launches go to a GPU if `device` is one, else to the interpreter."""
    return contextlib.nullcontext() if device.startswith("cuda") else interpreting()


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
