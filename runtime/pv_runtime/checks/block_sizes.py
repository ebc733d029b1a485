"""How many bytes a tensor takes in each format: fewer bits, fewer bytes, for rows of a block and more."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.formats.checkpoint import PLAIN
from pv_runtime.quant import SCHEMES

__all__ = ["block_sizes"]

Size = Callable[[str, int, int], int]


@check(
    metrics=[
        Metric("shapes", unit="1", kind="count"),
        Metric("out_of_order", unit="1", kind="count"),
        Metric("bits_per_weight", unit="1", low=0.0),
        Metric("off_published", unit="1", low=0.0),
    ]
)
def block_sizes(run: Run, *, order: Sequence[str], bits: Sequence[float], rounds: int) -> None:
    """Size matrices of random shapes, rows of 256 to 32768 values, as each format of `order`.

    `out_of_order` is 1 for each shape of which a format takes as many bytes as the next or more.
    `bits_per_weight` is measured by writing values, and `off_published` its distance from `bits`.
    """
    size: Size = run.role("size", _size)
    generator = np.random.default_rng(run.seed)
    for _ in range(rounds):
        rows, columns = int(generator.integers(1, 4096)), 256 * int(generator.integers(1, 129))
        sizes = [size(form, rows, columns) for form in order]
        ascending = all(smaller < larger for smaller, larger in itertools.pairwise(sizes))
        run.record("out_of_order", int(not ascending), label=f"[{rows}, {columns}]: {sizes}")
    run.record("shapes", rounds)
    for form, published in zip(order, bits, strict=True):
        measured = size(form, 64, 1024) * 8 / (64 * 1024)
        run.record("bits_per_weight", measured, label=form)
        run.record("off_published", abs(measured - published), label=form)


def _size(form: str, rows: int, columns: int) -> int:
    """Return the bytes of ``[rows, columns]``: those of one row, written, times the rows."""
    if form in PLAIN:
        return rows * columns * PLAIN[form]
    row = SCHEMES[form].quantise(np.linspace(-1.0, 1.0, columns, dtype=np.float32))
    return rows * row.nbytes


@block_sizes.counter_example("blocks_of_the_larger", of="size")
def blocks_of_the_larger(size: Size) -> Size:
    """Take the size of a Q6_K block for Q4_K's: bytes read in the wrong step."""
    return lambda form, rows, columns: size("Q6_K" if form == "Q4_K" else form, rows, columns)


@block_sizes.counter_example("scales_forgotten", of="size")
def scales_forgotten(size: Size) -> Size:
    """Count the quants and leave their scales out: still in order."""
    return lambda form, rows, columns: rows * columns // 2 if form == "Q4_K" else size(form, rows, columns)


@block_sizes.counter_example("rows_padded", of="size")
def rows_padded(size: Size) -> Size:
    """Pad every row by one block, as some writers do to rows that need none."""
    return lambda form, rows, columns: (
        size(form, rows, columns + 256) if form in SCHEMES else size(form, rows, columns)
    )
