"""The working models that defects are planted in."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo
from pv_runtime.formats.checkpoint import decode
from pv_runtime.formats.overlay import from_values
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["Assembled", "overflowing", "square", "stored_as"]

SQUARE = {
    "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_size": 256,
    "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4,
    "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "vocab_size": 384,
    "tie_word_embeddings": False,
}  # fmt: skip
"""As many key heads as query heads, so that q, k, v and o are square; rows are whole blocks of 256."""


class Assembled:
    """A checkpoint of given tensors, in a given order."""

    format = "safetensors"

    def __init__(self, tensors: Iterable[LazyTensor], config: Mapping[str, object], path: str) -> None:
        self._tensors = {each.info.name: each for each in tensors}
        self.metadata: Mapping[str, object] = {"config": dict(config)}
        self.path = path

    def names(self) -> tuple[str, ...]:
        """Return the names in the order given."""
        return tuple(self._tensors)

    def info(self, name: str) -> TensorInfo:
        """Describe a tensor."""
        return self._find(name).info

    def raw(self, name: str) -> Bytes:
        """Return its bytes."""
        return self._find(name).raw()

    def tensor(self, name: str) -> Floats:
        """Return its values as float32."""
        return decode(self.info(name), self.raw(name), self.path)

    def matrices(self) -> tuple[str, ...]:
        """Return the names of two-dimensional tensors."""
        return tuple(name for name in self._tensors if len(self.info(name).shape) == 2)

    def _find(self, name: str) -> LazyTensor:
        if name not in self._tensors:
            raise LoadError(f"there is no tensor {name}", self.path)
        return self._tensors[name]


@functools.cache
def square(seed: int = 7) -> Checkpoint:
    """Make a model of random weights, sized so that every part matters to the stages after it."""
    generator = np.random.default_rng(seed)
    hidden, wide, vocab = 256, 512, 384
    tensors: list[LazyTensor] = []

    def add(name: str, shape: tuple[int, ...], spread: float, mean: float = 0.0) -> None:
        values = (mean + spread * generator.standard_normal(shape)).astype(np.float32)
        tensors.append(from_values(name, shape, lambda: values, "F32"))

    add("model.embed_tokens.weight", (vocab, hidden), 0.3)
    for layer in range(4):
        prefix = f"model.layers.{layer}."
        add(prefix + "input_layernorm.weight", (hidden,), 0.2, 1.0)
        for part in "qkv":
            add(f"{prefix}self_attn.{part}_proj.weight", (hidden, hidden), 1.5 / hidden**0.5)
            add(f"{prefix}self_attn.{part}_proj.bias", (hidden,), 0.3)
        add(prefix + "self_attn.o_proj.weight", (hidden, hidden), hidden**-0.5)
        add(prefix + "post_attention_layernorm.weight", (hidden,), 0.2, 1.0)
        add(prefix + "mlp.gate_proj.weight", (wide, hidden), hidden**-0.5)
        add(prefix + "mlp.up_proj.weight", (wide, hidden), hidden**-0.5)
        add(prefix + "mlp.down_proj.weight", (hidden, wide), wide**-0.5)
    add("model.norm.weight", (hidden,), 0.2, 1.0)
    add("lm_head.weight", (vocab, hidden), hidden**-0.5)
    return Assembled(tensors, SQUARE, "(a random model of square weights)")


def stored_as(model: Checkpoint, name: str, scheme: str) -> Checkpoint:
    """Store one matrix of `model` in a block format."""
    raw = SCHEMES[scheme].quantise(model.tensor(name))
    info = TensorInfo(name, scheme, model.info(name).shape, raw.size)
    return Overlay(model, replace={name: LazyTensor(info, lambda: raw)})


def overflowing(model: Checkpoint, layer: int) -> Checkpoint:
    """Make one block work with values beyond float16's range, which float32 holds without harm."""
    up, down = (f"model.layers.{layer}.mlp.{part}_proj.weight" for part in ("up", "down"))
    return Overlay(
        model,
        replace={
            name: from_values(
                name, model.info(name).shape, functools.partial(_times, model, name, factor), "F32"
            )
            for name, factor in ((up, 2.0**15), (down, 2.0**-15))
        },
    )


def _times(model: Checkpoint, name: str, factor: float) -> Floats:
    return (model.tensor(name) * np.float32(factor)).astype(np.float32)
