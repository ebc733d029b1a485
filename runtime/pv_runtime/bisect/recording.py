"""The values of every stage of one forward pass, in memory or as files of a folder."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pv_runtime.formats.writing import writing
from pv_runtime.stages import LAYER_STAGES, STAGES

__all__ = ["Key", "Recording"]

Key = tuple[str, int | None]
"""Stage and layer; the layer is None for stages of the whole model."""

_Kept = Tensor | Path | Callable[[], Tensor]


class Recording:
    """Stage values as float32 ``[tokens, features]``, put together from the ranges that were computed.

    Parameters
    ----------
    folder
        Where each range becomes a file, which is complete or not there; None keeps all in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._ranges: dict[Key, dict[tuple[int, int], _Kept]] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob("*.npy")):
                stage, layer, start, end = path.stem.split("-")
                key = (stage, None if layer == "whole" else int(layer))
                self._ranges.setdefault(key, {})[int(start), int(end)] = path

    def put(self, key: Key, start: int, values: Tensor) -> None:
        """Keep a copy of ``[tokens, features]`` from token `start` on."""
        span = (start, start + len(values))
        kept = values.detach().to("cpu", torch.float32, copy=True)
        if self._folder is None:
            self._ranges.setdefault(key, {})[span] = kept
            return
        layer = "whole" if key[1] is None else str(key[1])
        path = self._folder / f"{key[0]}-{layer}-{span[0]}-{span[1]}.npy"
        # NumPy writes into a file past Python, and does not say so where the disk is full.
        data = io.BytesIO()
        np.save(data, kept.numpy())
        with writing(path) as file:
            file.write(data.getbuffer())
        self._ranges.setdefault(key, {})[span] = path

    def lend(self, key: Key, count: int, read: Callable[[], Tensor]) -> None:
        """Take values of all `count` tokens that lie elsewhere, and are read when they are asked for."""
        self._ranges[key] = {(0, count): read}

    def __contains__(self, key: Key) -> bool:
        return key in self._ranges

    def has(self, key: Key, start: int, end: int) -> bool:
        """Whether exactly this range of tokens was computed."""
        return (start, end) in self._ranges.get(key, {})

    def __iter__(self) -> Iterator[Key]:
        """Yield what is kept, in the order of computation."""
        order = {stage: place for place, stage in enumerate(STAGES)}

        def place(key: Key) -> tuple[int, int, int]:
            stage, layer = key
            part = 0 if stage == "embedding" else 1 if stage in LAYER_STAGES else 2
            return part, -1 if layer is None else layer, order[stage]

        return iter(sorted(self._ranges, key=place))

    def values(self, stage: str, layer: int | None) -> Tensor:
        """Return all tokens of a stage; raises `KeyError` where it was not computed."""
        ranges = self._ranges[stage, layer]
        parts = [_loaded(ranges[span]) for span in sorted(ranges)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def _loaded(kept: _Kept) -> Tensor:
    if isinstance(kept, Tensor):
        return kept
    if callable(kept):
        return kept()
    return torch.from_numpy(np.load(kept, mmap_mode="c"))
