"""What holds of causal attention whatever the inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv_kernels.spec import Arguments, Property, Results
from pv_kernels.specs.samples import used

__all__ = ["properties"]

_SIZES = {"tokens": (1, 90), "seed": (0, 2**31 - 1)}


def properties(
    drawn: Callable[..., Any],
    reference: Callable[..., Tensor],
    tolerance: Callable[[Arguments, Results], Results],
) -> tuple[Property, ...]:
    """Return the properties, for arguments that `drawn` makes, errors as `tolerance` allows."""

    def draw(heads: int, kv_heads: int, tokens: int, seed: int) -> Arguments:
        arguments: Arguments = drawn(heads, kv_heads, 64, tokens)(
            torch.Generator().manual_seed(seed), torch.float32
        )
        return arguments

    def allowed(arguments: Arguments) -> Tensor:
        return tolerance(arguments, (reference(**arguments),))[0]

    def equal_heads_are_mha(kernel: Any, *, kv_heads: int, ratio: int, tokens: int, seed: int) -> float:
        """With each key head written out for those that share it, the answer is the same, bitwise."""
        shared = draw(kv_heads * ratio, kv_heads, tokens, seed)
        written = {name: shared[name].repeat_interleave(ratio, dim=1) for name in ("k", "v")}
        return _bitwise(kernel(**shared), kernel(**{**shared, **written}))

    def within_the_hull(kernel: Any, *, ratio: int, tokens: int, seed: int) -> float:
        """Each column lies between the least and the greatest of the values that are seen."""
        arguments = draw(ratio, 1, tokens, seed)
        ours, values = kernel(**arguments).double(), arguments["v"].double()
        nearest = torch.clamp(ours, values.cummin(2).values, values.cummax(2).values)
        return used((ours,), (nearest,), (allowed(arguments),))

    def later_tokens(kernel: Any, *, tokens: int, later: int, seed: int) -> float:
        """Change what comes later, or cut it off: nothing earlier changes, bitwise."""
        whole = draw(2, 1, tokens + later, seed)
        other = {name: part.clone() for name, part in whole.items()}
        for part in other.values():
            part[:, :, tokens:] = part[:, :, tokens:].flip(-1) * 3 - 1
        none = {name: part[:, :, :tokens] for name, part in whole.items()}
        first = kernel(**whole)[:, :, :tokens]
        return max(_bitwise(first, kernel(**other)[:, :, :tokens]), _bitwise(first, kernel(**none)))

    def in_pieces(kernel: Any, *, tokens: int, later: int, seed: int) -> float:
        """Take a prompt in two pieces, the second behind the keys of the first: it answers as in one."""
        whole = draw(2, 1, tokens + later, seed)
        second = {**whole, "q": whole["q"][:, :, tokens:]}
        expected, room = kernel(**whole)[:, :, tokens:], 2 * allowed(whole)[:, :, tokens:]
        return used((kernel(**second),), (expected.double(),), (room,))

    later = {"later": (1, 70), **_SIZES}
    return (
        Property("equal_heads_are_mha", {"kv_heads": (1, 2), "ratio": (1, 8), **_SIZES}, equal_heads_are_mha),
        Property("within_the_hull", {"ratio": (1, 8), **_SIZES}, within_the_hull),
        Property("later_tokens", later, later_tokens),
        Property("in_pieces", later, in_pieces),
    )


def _bitwise(one: Tensor, other: Tensor) -> float:
    return 0.0 if torch.equal(one, other) else float("inf")
