"""A model of any architecture with random weights, made when they are asked for."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pv_runtime.architecture import Architecture, tensor_shapes
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.formats.checkpoint import TensorInfo, decode
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.formats.writing import writing
from pv_runtime.presets import config_json
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["RandomModel"]

_BYTES = {"F32": 4, "F16": 2}


class RandomModel:
    """A `Checkpoint` whose tensors are drawn from a generator seeded by `seed` and their names.

    Matrices are normal with a deviation of 1/sqrt(in), which keeps activations of order 1 through any
    number of blocks; biases and norms are drawn too, around 0 and 1, so that leaving one out shows.

    Parameters
    ----------
    architecture
        Its shapes.
    seed
        Another one is another model.
    dtype
        ``"F32"`` or ``"F16"``.
    """

    format = "safetensors"
    path = "random"

    def __init__(self, architecture: Architecture, seed: int = 0, dtype: str = "F32") -> None:
        self.architecture = architecture
        self.seed = seed
        self.metadata: Mapping[str, object] = {"config": config_json(architecture)}
        self._infos = {
            name: TensorInfo(name, dtype, shape, math.prod(shape) * _BYTES[dtype])
            for name, shape in tensor_shapes(architecture)
        }

    def names(self) -> tuple[str, ...]:
        """Return the names of all tensors."""
        return tuple(self._infos)

    def info(self, name: str) -> TensorInfo:
        """Describe the tensor `name`."""
        if name not in self._infos:
            raise LoadError(f"there is no tensor {name}", self.path)
        return self._infos[name]

    def raw(self, name: str) -> Bytes:
        """Draw the tensor, the same values each time, and return its bytes."""
        info = self.info(name)
        digest = hashlib.sha256(f"{self.seed} {name}".encode()).digest()
        generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))
        values = generator.standard_normal(info.shape, dtype=np.float32)
        if name.endswith("norm.weight"):
            values = 1 + 0.2 * values
        elif name.endswith(".bias"):
            values *= np.float32(0.2)
        elif name != "model.embed_tokens.weight" or self.architecture.tied:
            values *= np.float32(1 / math.sqrt(info.shape[-1]))
        kind = np.float32 if info.dtype == "F32" else np.float16
        return np.ascontiguousarray(values.astype(kind)).reshape(-1).view(np.uint8)

    def tensor(self, name: str) -> Floats:
        """Return the tensor as float32."""
        return decode(self.info(name), self.raw(name), self.path)

    def matrices(self) -> tuple[str, ...]:
        """Return the names of the two-dimensional tensors."""
        return tuple(name for name, info in self._infos.items() if len(info.shape) == 2)

    def save(self, folder: str | os.PathLike[str]) -> Checkpoint:
        """Write ``model.safetensors`` and ``config.json`` into `folder`, which is there, and open it."""
        target = Path(folder)
        tensors = [(info, functools.partial(self.raw, name)) for name, info in self._infos.items()]
        write_safetensors(str(target / "model.safetensors"), tensors)
        with writing(target / "config.json") as file:
            file.write((json.dumps(self.metadata["config"], indent=2) + "\n").encode())
        return open_checkpoint(target)
