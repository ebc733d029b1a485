"""What holds of decode attention whatever the inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv_kernels.spec import Arguments, Property, Results
from pv_kernels.specs.samples import used

__all__ = ["properties"]

_SEED = (0, 2**31 - 1)
_CAPACITY = 140


def properties(
    drawn: Callable[..., Any],
    reference: Callable[..., Tensor],
    tolerance: Callable[[Arguments, Results], Results],
) -> tuple[Property, ...]:
    """Return the properties, for arguments that `drawn` makes, errors as `tolerance` allows."""

    def draw(heads: int, kv_heads: int, keys: int, seed: int, **more: Any) -> Arguments:
        make = drawn(heads, kv_heads, 64, _CAPACITY, [keys], **more)
        arguments: Arguments = make(torch.Generator().manual_seed(seed), torch.float32)
        return arguments

    def allowed(arguments: Arguments) -> Tensor:
        return tolerance(arguments, (reference(**arguments),))[0]

    def alike(kernel: Any, one: Arguments, other: Arguments) -> float:
        """Two ways to the same answer differ by what each may be off."""
        results = kernel(**one), kernel(**other)
        return used((results[0],), (results[1].double(),), (allowed(one) + allowed(other),))

    def equal_heads_are_mha(kernel: Any, *, kv_heads: int, ratio: int, keys: int, seed: int) -> float:
        """With each key head written out for those that share it, the answer is the same."""
        shared = draw(kv_heads * ratio, kv_heads, keys, seed)
        written = {name: shared[name].repeat_interleave(ratio, dim=1) for name in ("k", "v")}
        return alike(kernel, shared, {**shared, **written})

    def within_the_hull(kernel: Any, *, ratio: int, keys: int, seed: int) -> float:
        """Each column lies between the least and the greatest of the values."""
        arguments = draw(ratio, 1, keys, seed)
        ours, held = kernel(**arguments).double(), arguments["v"][:, :, :keys].double()
        nearest = torch.clamp(ours, held.amin(2), held.amax(2))
        return used((ours,), (nearest,), (allowed(arguments),))

    def order_of_keys(kernel: Any, *, ratio: int, keys: int, seed: int) -> float:
        """Keys taken in another order, each with its value, give the same answer."""
        arguments = draw(ratio, 1, keys, seed)
        order = torch.cat(
            [
                torch.randperm(keys, generator=torch.Generator().manual_seed(seed)),
                torch.arange(keys, _CAPACITY),
            ]
        )
        return alike(
            kernel, arguments, {**arguments, **{name: arguments[name][:, :, order] for name in ("k", "v")}}
        )

    def number_of_splits(kernel: Any, *, splits: int, keys: int, seed: int) -> float:
        """However many splits there are, the answer is the same."""
        arguments = draw(4, 2, keys, seed)
        return alike(kernel, {**arguments, "splits": 1}, {**arguments, "splits": splits})

    def behind_the_length(kernel: Any, *, splits: int, keys: int, seed: int) -> float:
        """Put NaN behind the length: it has no influence, bitwise."""
        arguments = draw(4, 2, keys, seed, splits=splits)
        spoiled = {name: arguments[name].clone() for name in ("k", "v")}
        for part in spoiled.values():
            part[:, :, keys:] = float("nan")
        return _bitwise(kernel(**arguments), kernel(**{**arguments, **spoiled}))

    def others_in_the_batch(kernel: Any, *, splits: int, keys: int, others: int, seed: int) -> float:
        """Take a sequence out of its batch: it answers as it does in it, bitwise."""
        make = drawn(4, 2, 64, _CAPACITY, [others, keys], splits=splits)
        batch = make(torch.Generator().manual_seed(seed), torch.float32)
        alone = {**batch, **{name: batch[name][1:] for name in ("q", "k", "v", "lengths")}}
        return _bitwise(kernel(**batch)[1:], kernel(**alone))

    lengths, splits = {"keys": (1, _CAPACITY), "seed": _SEED}, {"splits": (1, 5)}
    return (
        Property(
            "equal_heads_are_mha", {"kv_heads": (1, 3), "ratio": (1, 8), **lengths}, equal_heads_are_mha
        ),
        Property("within_the_hull", {"ratio": (1, 8), **lengths}, within_the_hull),
        Property("order_of_keys", {"ratio": (1, 8), **lengths}, order_of_keys),
        Property("number_of_splits", {**splits, **lengths}, number_of_splits),
        Property("behind_the_length", {**splits, **lengths}, behind_the_length),
        Property("others_in_the_batch", {**splits, **lengths, "others": (0, _CAPACITY)}, others_in_the_batch),
    )


def _bitwise(one: Tensor, other: Tensor) -> float:
    return 0.0 if torch.equal(one, other) else float("inf")
