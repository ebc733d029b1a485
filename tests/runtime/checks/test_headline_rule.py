"""How many single-byte errors does each rule miss: the one that models were shipped by, and ours?"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from pv_runtime.compare import cosine, differing_elements
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, open_checkpoint
from pv_runtime.quant.scheme import Bytes

ROOT = Path(__file__).resolve().parents[3]
TRIES = 60


def with_wrong_byte(model: Checkpoint, chance: random.Random) -> tuple[Overlay, str]:
    """Put another byte in the place of one, each byte of the model as likely as any other."""
    names = model.names()
    name = chance.choices(names, [model.info(name).nbytes for name in names])[0]
    at, mask = chance.randrange(model.info(name).nbytes), chance.randrange(1, 256)

    def raw() -> Bytes:
        copy = model.raw(name).copy()
        copy[at] ^= mask
        return copy

    return Overlay(model, replace={name: LazyTensor(model.info(name), raw)}), name


def test_a_cosine_floor_misses_nearly_every_wrong_byte_and_counting_elements_nearly_none() -> None:
    quantised = open_checkpoint(ROOT / "models/tiny-qwen2-q4_k/model.gguf")
    twin = open_checkpoint(ROOT / "models/tiny-qwen2-q4_k-twin/model.safetensors")
    chance = random.Random(0)
    missed_by_cosine = missed_by_count = 0
    for _ in range(TRIES):
        damaged, name = with_wrong_byte(quantised, chance)
        with np.errstate(all="ignore"):
            decoded, published = damaged.tensor(name), twin.tensor(name)
            missed_by_cosine += cosine(decoded, published) >= 0.999
            missed_by_count += differing_elements(decoded, published) == 0
    assert missed_by_cosine >= 0.9 * TRIES
    assert missed_by_count <= 0.05 * TRIES
