"""What holds of cross-entropy and of its gradient whatever the inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv_kernels.spec import Arguments, Property, Results
from pv_kernels.specs.samples import normal, used

__all__ = ["gradient_properties", "loss_properties"]

_SIZES = {"rows": (1, 2), "columns": (1, 2500), "seed": (0, 2**31 - 1)}
Bound = Callable[[Arguments, Results], Results]


def _draw(rows: int, columns: int, seed: int) -> tuple[torch.Generator, Arguments]:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, columns, (rows,), generator=generator)
    return generator, {
        "logits": normal(generator, torch.float32, rows, columns, scale=3.0),
        "targets": targets,
    }


def loss_properties(reference: Callable[..., Tensor], tolerance: Bound) -> tuple[Property, ...]:
    """Return what holds of the loss, with errors as `tolerance` allows."""

    def ignores_a_shift(kernel: Any, *, rows: int, columns: int, shift: int, seed: int) -> float:
        """Add a whole number to whole numbers, which is exact: nothing changes, bitwise."""
        generator, arguments = _draw(rows, columns, seed)
        whole = torch.randint(-20, 20, (rows, columns), generator=generator).float()
        losses = [kernel(**{**arguments, "logits": logits}) for logits in (whole, whole + shift)]
        return 0.0 if torch.equal(*losses) else float("inf")

    def ignores_the_order(kernel: Any, *, rows: int, columns: int, seed: int) -> float:
        """Exchange columns, and name the target's new one: the loss is the same within its bound."""
        generator, arguments = _draw(rows, columns, seed)
        order = torch.randperm(columns, generator=generator)
        other = {"logits": arguments["logits"][:, order], "targets": order.argsort()[arguments["targets"]]}
        allowed = tolerance(arguments, (reference(**arguments),))[0]
        return used((kernel(**other),), (kernel(**arguments).double(),), (2 * allowed,))

    def of_equal_logits(kernel: Any, *, rows: int, columns: int, value: int, seed: int) -> float:
        """Let all logits be equal: the loss is the logarithm of their number."""
        _, arguments = _draw(rows, columns, seed)
        arguments["logits"] = torch.full((rows, columns), float(value))
        expected = torch.full((rows,), float(columns)).double().log()
        return used((kernel(**arguments),), (expected,), tolerance(arguments, (expected,)))

    return (
        Property("ignores_a_shift", {**_SIZES, "shift": (-1000, 1000)}, ignores_a_shift),
        Property("ignores_the_order", _SIZES, ignores_the_order),
        Property("of_equal_logits", {**_SIZES, "value": (-1000, 1000)}, of_equal_logits),
    )


def gradient_properties(reference: Callable[..., Results], tolerance: Bound) -> tuple[Property, ...]:
    """Return what holds of the gradient, with errors as `tolerance` allows."""

    def draw(rows: int, columns: int, seed: int) -> Arguments:
        generator, arguments = _draw(rows, columns, seed)
        return {**arguments, "upstream": normal(generator, torch.float32, rows)}

    def sums_to_zero(kernel: Any, *, rows: int, columns: int, seed: int) -> float:
        """Add the gradient of a row up: shares sum to 1, and the target's 1 is taken away."""
        arguments = draw(rows, columns, seed)
        total = kernel(**arguments)[1].double().sum(-1)
        allowed = tolerance(arguments, reference(**arguments))[1].sum(-1)
        return used((total,), (torch.zeros(rows, dtype=torch.float64),), (allowed,))

    def linear_upstream(kernel: Any, *, rows: int, columns: int, exponent: int, seed: int) -> float:
        """Scale the factor of the rows by a power of two: so does the gradient, bitwise; the loss stays."""
        arguments = draw(rows, columns, seed)
        # Bounded away from the subnormals, of which a scaled one has more digits.
        loss, gradient = kernel(**{**arguments, "logits": arguments["logits"].clamp(-9, 9)})
        other = {**arguments, "upstream": arguments["upstream"] * 2.0**exponent}
        other_loss, scaled = kernel(**{**other, "logits": arguments["logits"].clamp(-9, 9)})
        alike = torch.equal(loss, other_loss) and torch.equal(gradient * 2.0**exponent, scaled)
        return 0.0 if alike else float("inf")

    def below_the_loss(kernel: Any, *, rows: int, columns: int, seed: int) -> float:
        """Compare with the loss beside it, which is convex: ``loss(x + h) >= loss(x) + <g, h>``."""
        arguments = {**draw(rows, columns, seed), "upstream": torch.ones(rows)}
        step = normal(torch.Generator().manual_seed(seed + 1), torch.float32, rows, columns, scale=0.1)
        loss, gradient = (result.double() for result in kernel(**arguments))
        moved = {**arguments, "logits": arguments["logits"] + step}
        # What was added is what the sum is off by, after it was rounded.
        added = moved["logits"].double() - arguments["logits"].double()
        short = (loss + (gradient * added).sum(-1) - kernel(**moved)[0].double()).clamp(min=0)
        bounds = tolerance(arguments, reference(**arguments)), tolerance(moved, reference(**moved))
        allowed = bounds[0][0] + bounds[1][0] + (bounds[0][1] * added.abs()).sum(-1)
        return used((short,), (torch.zeros_like(short),), (allowed,))

    return (
        Property("sums_to_zero", _SIZES, sums_to_zero),
        Property("linear_in_upstream", {**_SIZES, "exponent": (-20, 20)}, linear_upstream),
        Property("lies_below_the_loss", _SIZES, below_the_loss),
    )
