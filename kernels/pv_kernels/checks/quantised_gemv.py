"""What products with quantised matrices compute; the defects are those that misread a block's layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pv.check import Metric, Run, check, named
from pv_kernels.checks.values import nan_passed_over, not_deterministic, nothing_refused, parity
from pv_kernels.q4k_gemv import Q4_K
from pv_kernels.q6k_gemv import Q6_K
from pv_kernels.q8_0_gemv import Q8_0
from pv_kernels.specs.block_formats import decode

__all__ = ["products"]

Call = Callable[..., Any]
_FORMATS = {"q4k_gemv": Q4_K, "q6k_gemv": Q6_K, "q8_0_gemv": Q8_0}


@check(
    metrics=[
        Metric("cases", unit="1", kind="count"),
        Metric("error_over_bound", unit="1", low=0.0),
        Metric("differing_runs", unit="1", kind="count"),
        Metric("error_cases", unit="1", kind="count"),
        Metric("refused", unit="1", kind="count"),
        Metric("properties", unit="1", kind="count"),
        Metric("property_over_bound", unit="1", low=0.0),
        Metric("backend", unit="1", kind="text"),
    ]
)
def products(run: Run, *, spec: str) -> None:
    """Measure what `pv_kernels.checks.values:parity` does, of a kernel with a quantised format."""
    parity.function(run, spec=spec)


def _misread(call: Call, spec: str, change: Callable[[Tensor], None]) -> Call:
    """Return `call` that finds the blocks ``[rows, blocks, bytes]`` as `change` leaves them."""

    def misreading(weight: Tensor, x: Tensor, **others: Any) -> Any:
        call(weight=weight, x=x, **others)  # what must be refused still is
        changed = weight.clone()
        if changed.numel():
            change(changed.view(len(weight), -1, _FORMATS[named(spec).name].bytes))
        return call(weight=changed, x=x, **others)

    return misreading


@products.counter_example("nibbles_swapped", of="call")
def nibbles_swapped(call: Call, *, spec: str) -> Call:
    """Q4_K: take the high four bits of a byte for the first weights."""

    def swap(blocks: Tensor) -> None:
        blocks[..., 16:] = (blocks[..., 16:] >> 4) | (blocks[..., 16:] << 4)

    return _misread(call, spec, swap)


@products.counter_example("high_bits_of_scales_dropped", of="call")
def high_bits_of_scales_dropped(call: Call, *, spec: str) -> Call:
    """Q4_K: read four bits of the scales and minima of sub-blocks 4 to 7: right where they are below 16."""

    def drop(blocks: Tensor) -> None:
        blocks[..., 4:12] &= 63

    return _misread(call, spec, drop)


@products.counter_example("minimum_not_subtracted", of="call")
def minimum_not_subtracted(call: Call, *, spec: str) -> Call:
    """Q4_K: leave ``dmin m`` out."""

    def zero(blocks: Tensor) -> None:
        blocks[..., 2:4] = 0

    return _misread(call, spec, zero)


@products.counter_example("d_and_dmin_exchanged", of="call")
def d_and_dmin_exchanged(call: Call, *, spec: str) -> Call:
    """Q4_K: read the two float16 in the other order."""

    def exchange(blocks: Tensor) -> None:
        blocks[..., :4] = blocks[..., :4].roll(2, dims=-1)

    return _misread(call, spec, exchange)


@products.counter_example("high_bits_of_codes_dropped", of="call")
def high_bits_of_codes_dropped(call: Call, *, spec: str) -> Call:
    """Q6_K: take the low nibbles for the whole codes."""

    def drop(blocks: Tensor) -> None:
        blocks[..., 128:192] = 0

    return _misread(call, spec, drop)


@products.counter_example("scales_without_sign", of="call")
def scales_without_sign(call: Call) -> Call:
    """Q6_K: read a scale of -1 as 255: right in every block whose scales are positive."""

    def unsigned(weight: Tensor, x: Tensor, **others: Any) -> Any:
        result = call(weight=weight, x=x, **others)
        if not result.numel():
            return result
        # A scale of -1 read as 255 is 256 too much: twice what is decoded with -128, taken away.
        blocks = weight.view(len(weight), -1, Q6_K.bytes)
        negative = blocks[..., 192:208] >= 128
        excess = blocks.clone()
        excess[..., 192:208] = negative.to(torch.uint8) * 128
        more = decode("Q6_K", excess.view(weight.shape).cpu()).to(x.device)
        added = x.double() @ (-2 * more.double()).T
        return (result.double() + added).to(x.dtype)

    return unsigned


@products.counter_example("codes_without_sign", of="call")
def codes_without_sign(call: Call) -> Call:
    """Q8_0: read a code of -1 as 255."""

    def unsigned(weight: Tensor, x: Tensor, **others: Any) -> Any:
        result = call(weight=weight, x=x, **others)
        if not result.numel():
            return result
        excess = weight.view(len(weight), -1, Q8_0.bytes).clone()
        excess[..., 2:] = (excess[..., 2:] >= 128).to(torch.uint8) * 128
        more = decode("Q8_0", excess.view(weight.shape).cpu()).to(x.device)
        added = x.double() @ (-2 * more.double()).T
        return (result.double() + added).to(x.dtype)

    return unsigned


@products.counter_example("one_block_skipped", of="call")
def one_block_skipped(call: Call, *, spec: str) -> Call:
    """Leave the last block of every row out, as a loop that ends early does."""

    def skip(blocks: Tensor) -> None:
        blocks[:, -1] = 0

    return _misread(call, spec, skip)


@products.counter_example("last_row_of_the_tile_before", of="call")
def last_row_of_the_tile_before(call: Call) -> Call:
    """Give the last row what the one before it has, as an index that is cut off does."""

    def repeated(weight: Tensor, x: Tensor, **others: Any) -> Any:
        result = call(weight=weight, x=x, **others).clone()
        if result.numel() and result.shape[-1] > 1:
            result[..., -1] = result[..., -2]
        return result

    return repeated


@products.counter_example("tokens_mixed", of="call")
def tokens_mixed(call: Call) -> Call:
    """Let a NaN or an infinity of one token reach the others: add zero times their sum."""

    def mixed(weight: Tensor, x: Tensor, **others: Any) -> Any:
        result = call(weight=weight, x=x, **others)
        return result + 0 * x.sum().to(x.dtype)

    return mixed


@products.counter_example("kernel_refuses_nothing", of="call")
def kernel_refuses_nothing(call: Call) -> Call:
    """Return something whatever the arguments are."""
    return nothing_refused(call)


@products.counter_example("changing_from_run_to_run", of="call")
def changing_from_run_to_run(call: Call) -> Call:
    """Change the lowest bit of the first element at every second call, within the bound."""
    return not_deterministic(call)


@products.counter_example("nan_hidden", of="call")
def nan_hidden(call: Call) -> Call:
    """Write zeros where there should be NaN."""
    return nan_passed_over(call)
