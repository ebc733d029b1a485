"""Damage in known amounts: what checks declare as doses, so that a contract can say how little may be missed.

Places are seeded: the same number is the same place in the same model, on every host.
"""

from __future__ import annotations

import functools
import random

import numpy as np

from pv.check import CheckError
from pv_runtime.checks import damage
from pv_runtime.formats import Checkpoint, FileBytes, LazyTensor, Overlay
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["flipped_bits", "flipped_file_bits", "negated_elements", "scaled_matrix"]


def flipped_bits(model: Checkpoint, amount: int, place: int) -> Overlay:
    """Turn `amount` bits of tensors' bytes, each bit of the model as likely as any other.

    Raises
    ------
    CheckError
        The model has no byte to damage.
    """
    chance = random.Random(f"flipped bits {place}")  # noqa: S311  places, no secret
    sizes = {name: 8 * model.info(name).nbytes for name in model.names()}
    total = sum(sizes.values())
    if not total:
        raise CheckError(f"{model.path} has no tensor to damage")
    turned: dict[str, list[int]] = {}
    for at in chance.sample(range(total), min(amount, total)):
        for name, size in sizes.items():
            if at < size:
                turned.setdefault(name, []).append(at)
                break
            at -= size  # noqa: PLW2901  what is left of it behind that tensor
    return Overlay(
        model,
        replace={
            name: LazyTensor(model.info(name), functools.partial(_turned, model, name, bits))
            for name, bits in turned.items()
        },
    )


def _turned(model: Checkpoint, name: str, bits: list[int]) -> Bytes:
    raw = model.raw(name).copy()
    for bit in bits:
        raw[bit // 8] ^= 1 << bit % 8
    return raw


def flipped_file_bits(file: FileBytes, amount: int, place: int) -> FileBytes:
    """Turn `amount` bits of the first 4096 bytes of a file, which are all that can be replaced.

    Raises
    ------
    CheckError
        The file is empty.
    """
    size = min(file.size, 4096)
    if not size:
        raise CheckError(f"{file.path} has no byte to damage")
    head = bytearray(file.read(0, size).tobytes())
    for bit in random.Random(f"flipped bits {place}").sample(range(8 * size), min(amount, 8 * size)):  # noqa: S311
        head[bit // 8] ^= 1 << bit % 8
    return file.with_head(bytes(head), instead_of=size)


def scaled_matrix(model: Checkpoint, amount: float, place: int) -> Overlay:
    """Multiply every element of one matrix by 1 + `amount`, kept in float32."""
    return damage.replaced_values(
        model, (_matrix(model, place),), lambda v: v * np.float32(1 + amount), "F32"
    )


def negated_elements(model: Checkpoint, amount: int, place: int) -> Overlay:
    """Turn the signs of `amount` neighbouring elements of one matrix, kept in float32."""
    name = _matrix(model, place)
    chance = random.Random(f"negated elements {place}")  # noqa: S311  places, no secret

    def negate(values: Floats) -> Floats:
        turned = np.array(values, dtype=np.float32)
        flat = turned.reshape(-1)
        start = chance.randrange(max(1, flat.size - amount))
        flat[start : start + amount] *= -1
        return turned

    return damage.replaced_values(model, (name,), negate, "F32")


def _matrix(model: Checkpoint, place: int) -> str:
    names = model.matrices()
    if not names:
        raise CheckError(f"{model.path} has no matrix to damage")
    return random.Random(f"matrix {place}").choice(names)  # noqa: S311  places, no secret
