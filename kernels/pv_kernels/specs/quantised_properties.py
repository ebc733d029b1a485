"""What holds of products with quantised matrices whatever the bytes are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv_kernels.quantised_gemv import BlockFormat
from pv_kernels.spec import Arguments, Draw, Property, Results
from pv_kernels.specs.block_formats import HALVES, decode
from pv_kernels.specs.samples import used

__all__ = ["properties"]

SIZES = {"tokens": (1, 5), "rows": (1, 6), "units": (1, 3), "seed": (0, 2**31 - 1)}
"""Columns are `units` of 256: whole blocks in every format."""


def properties(
    form: BlockFormat, draw: Callable[..., Draw], tolerance: Callable[[Arguments, Results], Results]
) -> tuple[Property, ...]:
    """Return the laws of `form`; `draw` takes tokens, rows and columns."""

    def arguments(tokens: int, rows: int, units: int, seed: int) -> Arguments:
        return draw(tokens, rows, 256 * units)(torch.Generator().manual_seed(seed), torch.float32)

    def weights_are_exact(kernel: Any, *, rows: int, units: int, seed: int) -> float:
        """Multiply by unit vectors: the answers are the weights as decoding gives them, bit for bit."""
        generator = torch.Generator().manual_seed(seed)
        weight = arguments(1, rows, units, seed)["weight"]
        chosen = torch.randint(0, 256 * units, (8,), generator=generator)
        unit = torch.eye(256 * units)[chosen]
        return _same(kernel(weight=weight, x=unit), decode(form.name, weight)[:, chosen].T)

    def zero_block_changes_nothing(kernel: Any, *, place: int, **sizes: int) -> float:
        """Zero a block's scales, or the tokens where it is: both leave it out, bitwise."""
        plain = arguments(**sizes)
        zeroed, tokens = plain["weight"].clone(), plain["x"].clone()
        blocks = zeroed.view(len(zeroed), -1, form.bytes)
        place %= blocks.shape[1]
        for at in HALVES[form.name]:
            blocks[:, place, at : at + 2] = 0
        tokens[:, place * form.weights : (place + 1) * form.weights] = 0
        return _same(kernel(weight=zeroed, x=plain["x"]), kernel(weight=plain["weight"], x=tokens))

    def scaled_by_a_power_of_two(kernel: Any, *, exponent: int, **sizes: int) -> float:
        """Scale the tokens: the answers scale, bitwise."""
        plain = arguments(**sizes)
        scaled = kernel(weight=plain["weight"], x=plain["x"] * 2.0**exponent)
        return _same(scaled, kernel(**plain) * 2.0**exponent)

    def additive(kernel: Any, **sizes: int) -> float:
        """Add two tokens of whole numbers, which is exact: the answers add up, but for rounding."""
        plain = arguments(**sizes)
        parts = [(plain["x"] * factor).round() for factor in (9, -5)]
        sides = [{"weight": plain["weight"], "x": x} for x in (parts[0] + parts[1], *parts)]
        results = [kernel(**side).double() for side in sides]
        allowed = [tolerance(side, (result,))[0] for side, result in zip(sides, results, strict=True)]
        return used((results[0],), (results[1] + results[2],), (torch.stack(allowed).sum(0),))

    def a_block_is_its_rows_own(kernel: Any, *, place: int, **sizes: int) -> float:
        """Double the scales of one block: only its row changes, by what that block gave."""
        plain = arguments(**sizes)
        doubled, alone = plain["weight"].clone(), torch.zeros_like(plain["weight"])
        blocks, only = (part.view(len(part), -1, form.bytes) for part in (doubled, alone))
        row, column = place % blocks.shape[0], place % blocks.shape[1]
        only[row, column] = blocks[row, column]
        for at in HALVES[form.name]:
            number = blocks[row, column, at : at + 2].view(torch.float16)
            number *= 2
        runs = [{"weight": weight, "x": plain["x"]} for weight in (doubled, plain["weight"], alone)]
        after, before, part = (kernel(**run).double() for run in runs)
        others = torch.arange(len(doubled)) != row
        if not torch.equal(after[:, others], before[:, others]):
            return float("inf")
        allowed = [tolerance(run, (y,))[0] for run, y in zip(runs, (after, before, part), strict=True)]
        return used((after,), (before + part,), (torch.stack(allowed).sum(0),))

    def rows_are_alike(kernel: Any, **sizes: int) -> float:
        """Put the rows into another order: the answers are in that order, bitwise."""
        plain = arguments(**sizes)
        order = torch.randperm(sizes["rows"], generator=torch.Generator().manual_seed(sizes["seed"]))
        return _same(kernel(weight=plain["weight"][order], x=plain["x"]), kernel(**plain)[:, order])

    def tokens_are_their_own(kernel: Any, **sizes: int) -> float:
        """Take one token away from the others: its answers are the same, bitwise."""
        plain = arguments(**sizes)
        which = sizes["seed"] % sizes["tokens"]
        return _same(kernel(weight=plain["weight"], x=plain["x"][which]), kernel(**plain)[which])

    return (
        Property("weights_are_exact", {k: v for k, v in SIZES.items() if k != "tokens"}, weights_are_exact),
        Property("zero_block_changes_nothing", {**SIZES, "place": (0, 95)}, zero_block_changes_nothing),
        Property("scaled_by_a_power_of_two", {**SIZES, "exponent": (-20, 20)}, scaled_by_a_power_of_two),
        Property("additive", SIZES, additive),
        Property("a_block_is_its_rows_own", {**SIZES, "place": (0, 95)}, a_block_is_its_rows_own),
        Property("rows_are_alike", SIZES, rows_are_alike),
        Property("tokens_are_their_own", SIZES, tokens_are_their_own),
    )


def _same(ours: Tensor, theirs: Tensor) -> float:
    return 0.0 if torch.equal(ours, theirs) else float("inf")
