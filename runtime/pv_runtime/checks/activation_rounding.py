"""What it costs to round activations to eight bits before a product, as llama.cpp does with K-quants.

Q8_K: d = max|x| / 127 over 256 values, signed as the extreme value is; q = round(x / d). Source: ggml,
``quantize_row_q8_K``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.quant.scheme import Floats

__all__ = ["activation_rounding"]

Rounding = Callable[[Floats], Floats]


@check(
    metrics=[
        Metric("one_step", unit="1", low=0.0),
        Metric("equal_bits", unit="1", kind="count"),
        Metric("products", unit="1", kind="count"),
        Metric("chained", unit="1", low=0.0),
        Metric("growth", unit="1", low=0.0),
        Metric("by_scale", unit="1", low=0.0),
        Metric("scale_factor", unit="1", low=0.0),
        Metric("saturated", unit="1", low=0.0),
        Metric("compression", unit="1", low=0.0),
    ]
)
def activation_rounding(run: Run, *, width: int, steps: int, scales: Sequence[float]) -> None:
    """Multiply random matrices with random vectors, as they are and rounded, in float32.

    - `one_step`, the relative L2 difference of each of `steps` products ``[width, width]``; `equal_bits`
      is 1 for those whose bits are all the same;
    - `chained`, the same after `steps` products with a norm between them, and `growth`, over the mean
      of `one_step`;
    - `by_scale`, one product with the vector scaled by each of `scales`, and `scale_factor`, the
      greatest over the least of them;
    - `saturated`, the relative L2 difference of the softmax of 20 times a product, one entry of which
      leads by far; `compression`, over that of the product itself.
    """
    rounding: Rounding = run.role("rounding", q8_k)
    generator = np.random.default_rng(run.seed)
    matrices = [
        generator.standard_normal((width, width), np.float32) / np.float32(width**0.5) for _ in range(steps)
    ]
    vector = _draw(generator, width)
    exact = rounded = vector
    singles = []
    for index, matrix in enumerate(run.progress(matrices, steps)):
        plain: Floats = _product(matrix, exact)
        product: Floats = _product(matrix, rounding(exact))
        singles.append(_relative(product, plain))
        run.record("one_step", singles[-1], label=f"product {index}")
        run.record("equal_bits", int(plain.tobytes() == product.tobytes()), label=f"product {index}")
        following: Floats = _product(matrix, rounding(rounded))
        rounded = _normed(following)
        exact = _normed(plain)
    run.record("products", steps)
    chained = _relative(rounded, exact)
    run.record("chained", chained)
    run.record("growth", chained / max(float(np.mean(singles)), 1e-30))
    errors = []
    for scale in scales:
        scaled: Floats = np.multiply(vector, np.float32(scale))
        rough: Floats = _product(matrices[0], rounding(scaled))
        fine: Floats = _product(matrices[0], scaled)
        errors.append(_relative(rough, fine))
        run.record("by_scale", errors[-1], label=f"scale {scale:g}")
    run.record("scale_factor", max(errors) / max(min(errors), 1e-30))
    scores: Floats = _product(matrices[0], vector)
    leading = scores.argmax()
    scores[leading] += 1
    coarse: Floats = _product(matrices[0], rounding(vector))
    coarse[leading] += 1
    saturated = _relative(_softmax(coarse), _softmax(scores))
    run.record("saturated", saturated)
    run.record("compression", saturated / max(_relative(coarse, scores), 1e-30))


def q8_k(values: Floats) -> Floats:
    """Round float32 ``[n]``, n a multiple of 256, to Q8_K and back."""
    blocks = values.reshape(-1, 256)
    extreme = np.take_along_axis(blocks, np.abs(blocks).argmax(1, keepdims=True), 1)
    inverse = np.divide(np.float32(-127), extreme, out=np.zeros_like(extreme), where=extreme != 0)
    quants = np.clip(np.rint(blocks * inverse), -128, 127)
    scale = np.divide(np.float32(1), inverse, out=np.zeros_like(inverse), where=inverse != 0)
    result: Floats = (quants * scale).astype(np.float32).reshape(values.shape)
    return result


def _draw(generator: np.random.Generator, *shape: int, size: float = 1.0) -> Floats:
    values: Floats = (size * generator.standard_normal(shape)).astype(np.float32)
    return values


def _product(matrix: Floats, vector: Floats) -> Floats:
    result: Floats = np.matmul(matrix, vector, dtype=np.float32)
    return result


def _normed(values: Floats) -> Floats:
    result: Floats = values / np.sqrt(np.mean(np.square(values)) + np.float32(1e-6))
    return result


def _softmax(values: Floats) -> Floats:
    """Return the softmax of 20 times `values`."""
    wide = np.exp(20 * (values.astype(np.float64) - float(values.max())))
    result: Floats = (wide / wide.sum()).astype(np.float32)
    return result


def _relative(ours: Floats, expected: Floats) -> float:
    wide = expected.astype(np.float64)
    return float(np.linalg.norm(ours - wide) / np.linalg.norm(wide))


@activation_rounding.counter_example("four_bits", of="rounding")
def four_bits(rounding: Rounding) -> Rounding:
    """Round to 15 steps instead of 255."""
    del rounding

    def coarse(values: Floats) -> Floats:
        blocks = values.reshape(-1, 256)
        scale = np.abs(blocks).max(1, keepdims=True) / np.float32(7)
        result: Floats = (np.rint(blocks / scale) * scale).reshape(values.shape)
        return result

    return coarse


@activation_rounding.counter_example("rounds_nothing", of="rounding")
def rounds_nothing(rounding: Rounding) -> Rounding:
    """Multiply with the vector as it is: two runs of one path, compared as if they were two."""
    del rounding
    return lambda values: values


@activation_rounding.counter_example("steps_of_a_fixed_size", of="rounding")
def steps_of_a_fixed_size(rounding: Rounding) -> Rounding:
    """Round to steps of 1/32 whatever the values' size: harmless at size 1, and only there."""
    del rounding
    return lambda values: np.rint(values * np.float32(32)) / np.float32(32)


@activation_rounding.counter_example("one_block_scaled_wrong", of="rounding")
def one_block_scaled_wrong(rounding: Rounding) -> Rounding:
    """Give the first block twice its scale."""

    def wrong(values: Floats) -> Floats:
        result = rounding(values).copy()
        result[:256] *= 2
        return result

    return wrong
