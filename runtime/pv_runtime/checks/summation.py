"""Sums of float32 in another order: how far apart two may lie, and that one order gives one result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from pv.check import Metric, Run, check
from pv_runtime.quant import scheme_named
from pv_runtime.quant.scheme import Floats

__all__ = ["repeated_product", "scalar_decoding", "summation_order"]

Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Dot = Callable[[Floats, Floats], float]
Decode = Callable[[bytes], Floats]


@check(
    metrics=[
        Metric("products", unit="1", kind="count"),
        Metric("threads", unit="1", kind="count"),
        Metric("elements", unit="1", kind="count"),
        Metric("differing", unit="1", kind="count"),
    ]
)
def repeated_product(run: Run, *, sizes: Sequence[int], rounds: int) -> None:
    """Multiply a random matrix ``[n, n]`` with a vector `rounds` times, for each n of `sizes`.

    `differing` counts the elements whose bits are not those of the first time; `threads` share each product,
    two at least: one alone cannot race.
    """
    torch.set_num_threads(max(2, torch.get_num_threads()))
    run.record("threads", torch.get_num_threads())
    product: Product = run.role("product", torch.mv)
    generator = torch.Generator().manual_seed(run.seed)
    for size in sizes:
        matrix = torch.randn(size, size, generator=generator)
        vector = torch.randn(size, generator=generator)
        first = product(matrix, vector)
        for _ in range(rounds):
            again = product(matrix, vector)
            run.record("elements", size, label=f"n = {size}")
            differing = first.view(torch.int32) != again.view(torch.int32)
            run.record("differing", int(differing.sum()), label=f"n = {size}")
    run.record("products", len(sizes) * rounds)


@repeated_product.counter_example("sums_race", of="product")
def sums_race(product: Product) -> Product:
    """Add the two halves in an order that changes from call to call, as threads that race do."""
    calls = 0

    def racing(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls % 2:
            return product(matrix, vector)
        return product(matrix.flip(1).contiguous(), vector.flip(0).contiguous())

    return racing


@repeated_product.counter_example("last_bit_of_one_element", of="product")
def last_bit_of_one_element(product: Product) -> Product:
    """Turn the last bit of one element, every third time."""
    calls = 0

    def wavering(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        result = product(matrix, vector).clone()
        if calls % 3 == 0:
            result.view(torch.int32)[0] ^= 1
        return result

    return wavering


@check(
    metrics=[
        Metric("pairs", unit="1", kind="count"),
        Metric("share_of_bound", unit="1", low=0.0),
        Metric("equal_bits", unit="1", kind="count"),
    ]
)
def summation_order(run: Run, *, length: int, lanes: int, pairs: int) -> None:
    """Compute dot products of random vectors one after the other and in `lanes` lanes, in float32.

    `share_of_bound` is |lanes - sequence| / (8 ε Σ|aᵢ bᵢ|), ε = 2⁻²⁴; `equal_bits` 1 where both give the
    same bits, which holds of some vectors and not of others.
    """
    dot: Dot = run.role("dot", _in_lanes(lanes))
    generator = np.random.default_rng(run.seed)
    for index in range(pairs):
        a, b = (generator.standard_normal(length, np.float32) for _ in range(2))
        # cumsum adds from left to right, and rounds each step to float32.
        sequence = float(np.cumsum(a * b, dtype=np.float32)[-1])
        ours = dot(a, b)
        bound = 8 * 2.0**-24 * float(np.abs(a.astype(np.float64) * b).sum())
        run.record("share_of_bound", abs(ours - sequence) / bound, label=f"pair {index}")
        run.record("equal_bits", int(ours == sequence), label=f"pair {index}")
    run.record("pairs", pairs)


def _in_lanes(lanes: int) -> Dot:
    def dot(a: Floats, b: Floats) -> float:
        products = a * b
        whole = len(products) // lanes * lanes
        sums = np.cumsum(products[:whole].reshape(-1, lanes), axis=0, dtype=np.float32)[-1]
        rest = np.cumsum(np.concatenate([sums, products[whole:]]), dtype=np.float32)
        return float(rest[-1])

    return dot


@summation_order.counter_example("tail_dropped", of="dot")
def tail_dropped(dot: Dot) -> Dot:
    """Leave out the last values, which fill no lane."""
    return lambda a, b: dot(a[:-1], b[:-1])


@summation_order.counter_example("sums_in_half", of="dot")
def sums_in_half(dot: Dot) -> Dot:
    """Keep the products in half precision."""
    return lambda a, b: dot(a.astype(np.float16).astype(np.float32), b)


@summation_order.counter_example("lane_counted_twice", of="dot")
def lane_counted_twice(dot: Dot) -> Dot:
    """Add the first product twice."""
    return lambda a, b: dot(a, b) + float(a[0] * b[0])


@check(
    metrics=[
        Metric("blocks", unit="1", kind="count"),
        Metric("values", unit="1", kind="count"),
        Metric("differing", unit="1", kind="count"),
    ]
)
def scalar_decoding(run: Run, *, blocks: int) -> None:
    """Decode random Q4_K blocks value by value, as the format's description reads, and as we do.

    x = (d · sc) · q - (dmin · m), each product rounded to float32. `differing` counts the values of a
    block whose bits differ, NaN being NaN.
    """
    decode: Decode = run.role("decode", _decoded)
    generator = np.random.default_rng(run.seed)
    for index in range(blocks):
        block = generator.integers(0, 256, 144, np.uint8)
        expected, ours = _by_hand(block.tobytes()), decode(block.tobytes())
        same = (expected.view(np.uint32) == ours.view(np.uint32)) | (np.isnan(expected) & np.isnan(ours))
        run.record("values", same.size, label=f"block {index}")
        run.record("differing", int((~same).sum()), label=f"block {index}")
    run.record("blocks", blocks)


def _decoded(block: bytes) -> Floats:
    return scheme_named("q4_k").dequantise(np.frombuffer(block, np.uint8))


def _by_hand(block: bytes) -> Floats:
    """Decode one block: d and dmin, twelve bytes of 6-bit scales and minima, 128 of nibbles."""
    with np.errstate(all="ignore"):
        d, least = np.frombuffer(block[:4], "<f2").astype(np.float32)
        packed, nibbles = block[4:16], block[16:]
        values = np.empty(256, np.float32)
        for position in range(256):
            sub = position // 32
            if sub < 4:
                scale, minimum = packed[sub] & 63, packed[sub + 4] & 63
            else:
                scale = packed[sub + 4] & 15 | packed[sub - 4] >> 6 << 4
                minimum = packed[sub + 4] >> 4 | packed[sub] >> 6 << 4
            byte = nibbles[sub // 2 * 32 + position % 32]
            quant = byte >> 4 if sub % 2 else byte & 15
            values[position] = d * np.float32(scale) * np.float32(quant) - least * np.float32(minimum)
    return values


@scalar_decoding.counter_example("nibbles_interleaved", of="decode")
def nibbles_interleaved(decode: Decode) -> Decode:
    """Take low and high nibble for neighbours."""

    def wrong(block: bytes) -> Floats:
        values = decode(block).reshape(4, 2, 32)
        return np.ascontiguousarray(values.swapaxes(1, 2)).reshape(-1)

    return wrong


@scalar_decoding.counter_example("minima_ignored", of="decode")
def minima_ignored(decode: Decode) -> Decode:
    """Leave dmin out."""
    return lambda block: decode(block[:2] + bytes(2) + block[4:])


@scalar_decoding.counter_example("last_bit", of="decode")
def last_bit(decode: Decode) -> Decode:
    """Turn the last bit of one value in 256."""

    def wrong(block: bytes) -> Floats:
        values = decode(block).copy()
        values.view(np.uint32)[200] ^= 1
        return values

    return wrong


@scalar_decoding.counter_example("rounded_once", of="decode")
def rounded_once(decode: Decode) -> Decode:
    """Round at the end only, as a fused multiply-add does."""
    del decode

    def fused(block: bytes) -> Floats:
        with np.errstate(all="ignore"):
            ones = _by_hand(np.array([1, 0], "<f2").tobytes() + block[4:]).astype(np.float64)
            minima = -_by_hand(np.array([0, 1], "<f2").tobytes() + block[4:]).astype(np.float64)
            d, least = np.frombuffer(block[:4], "<f2").astype(np.float64)
            values: Floats = (d * ones - least * minima).astype(np.float32)
            return values

    return fused
