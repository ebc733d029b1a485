"""What holds of products with a matrix whatever the numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv_kernels.dtypes import FLOATS
from pv_kernels.spec import Arguments, Draw, Property, Results
from pv_kernels.specs.samples import used

__all__ = ["properties"]

_SEED = {"seed": (0, 2**31 - 1)}
_SIZES = {"rows": (1, 70), "outputs": (1, 40), "columns": (1, 100), **_SEED}
_TYPE = {"type_": (0, len(FLOATS) - 1)}


def properties(
    drawn: Callable[..., Draw], tolerance: Callable[[Arguments, Results], Results]
) -> tuple[Property, ...]:
    """Return the laws; `drawn` takes rows, outputs and columns."""

    def arguments(rows: int, outputs: int, columns: int, seed: int, type_: int = 0) -> Arguments:
        return drawn(rows, outputs, columns)(torch.Generator().manual_seed(seed), FLOATS[type_])

    def allowed(given: Arguments, result: Tensor) -> Tensor:
        return tolerance(given, (result.double(),))[0]

    def identity(kernel: Any, *, rows: int, columns: int, seed: int, type_: int) -> float:
        """Multiply by the identity: nothing changes, bitwise."""
        x = arguments(rows, 1, columns, seed, type_)["x"]
        return _same(kernel(x=x, weight=torch.eye(columns, dtype=x.dtype)), x)

    def whole_numbers(kernel: Any, *, most: int, type_: int, **sizes: int) -> float:
        """Multiply whole numbers so small that every sum is exact: so is the result, bitwise."""
        given = arguments(**sizes)
        x, weight = ((part * most).round().clamp(-most, most) for part in given.values())
        exact = (x.long() @ weight.long().T).to(FLOATS[type_])
        return _same(kernel(x=x.to(FLOATS[type_]), weight=weight.to(FLOATS[type_])), exact)

    def scaled_by_a_power_of_two(kernel: Any, *, exponent: int, **sizes: int) -> float:
        """Scale either side: the result scales, bitwise."""
        given = arguments(**sizes)
        wanted = kernel(**given) * 2.0**exponent
        scaled = ({**given, name: given[name] * 2.0**exponent} for name in given)
        return max(_same(kernel(**side), wanted) for side in scaled)

    def additive(kernel: Any, **sizes: int) -> float:
        """Add rows of whole numbers, which is exact: the results add up, but for rounding."""
        given = arguments(**sizes)
        parts = [(given["x"] * factor).round() for factor in (9, -5)]
        sides = [{**given, "x": x} for x in (parts[0] + parts[1], *parts)]
        results = [kernel(**side).double() for side in sides]
        room = [allowed(side, result) for side, result in zip(sides, results, strict=True)]
        return used((results[0],), (results[1] + results[2],), (torch.stack(room).sum(0),))

    def transposed(kernel: Any, **sizes: int) -> float:
        """Exchange the sides: the result is transposed, but for rounding."""
        given = arguments(**sizes)
        ours, theirs = kernel(**given), kernel(x=given["weight"], weight=given["x"])
        return used((ours,), (theirs.mT.double(),), (2 * allowed(given, ours),))

    def columns_of_zeros(kernel: Any, *, more: int, **sizes: int) -> float:
        """Put zeros behind the rows of both sides, or one and whatever behind the other: no bit changes."""
        given = arguments(**sizes)
        wanted = kernel(**given)
        behind = {name: torch.nn.functional.pad(part, (0, more)) for name, part in given.items()}
        filled = torch.nn.functional.pad(given["x"], (0, more), value=3.7)
        return max(_same(kernel(**behind), wanted), _same(kernel(x=filled, weight=behind["weight"]), wanted))

    def outputs_are_their_own(kernel: Any, **sizes: int) -> float:
        """Change the rows of the matrix behind the first: the first column does not change, bitwise."""
        given = arguments(**sizes)
        other = given["weight"].flip(1) * 3 - 1
        other[0] = given["weight"][0]
        return _same(kernel(x=given["x"], weight=other)[:, 0], kernel(**given)[:, 0])

    def rows_are_their_own(kernel: Any, **sizes: int) -> float:
        """Change what is behind the first row: no bit of it changes. Take it away: no more than rounding."""
        given = arguments(**sizes)
        other = given["x"].flip(1) * 3 - 1
        other[0] = given["x"][0]
        whole, among = kernel(**given), kernel(x=other, weight=given["weight"])
        alone = kernel(x=given["x"][:1], weight=given["weight"])
        part = used((alone,), (whole[:1].double(),), (2 * allowed(given, whole)[:1],))
        return max(_same(among[0], whole[0]), part)

    square = {name: bounds for name, bounds in _SIZES.items() if name != "outputs"}
    return (
        Property("identity", {**square, **_TYPE}, identity),
        Property("whole_numbers", {**_SIZES, **_TYPE, "most": (1, 9)}, whole_numbers),
        Property("scaled_by_a_power_of_two", {**_SIZES, "exponent": (-20, 20)}, scaled_by_a_power_of_two),
        Property("additive", _SIZES, additive),
        Property("transposed", _SIZES, transposed),
        Property("columns_of_zeros", {**_SIZES, "more": (1, 80)}, columns_of_zeros),
        Property("outputs_are_their_own", _SIZES, outputs_are_their_own),
        Property("rows_are_their_own", _SIZES, rows_are_their_own),
    )


def _same(ours: Tensor, theirs: Tensor) -> float:
    return 0.0 if torch.equal(ours, theirs) else float("inf")
