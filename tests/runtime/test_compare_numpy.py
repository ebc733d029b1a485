from __future__ import annotations

import math

import numpy as np
import pytest
from pv_runtime import compare_numpy
from pv_runtime.compare import cosine, differing_elements, max_abs_difference, relative_rmse
from pv_runtime.compare_tensors import Pair, compare_all
from pv_runtime.formats import TensorInfo
from pv_runtime.quant import SCHEMES


@pytest.mark.parametrize("scheme", SCHEMES)
def test_figures_are_those_of_the_plain_functions(scheme: str) -> None:
    values = np.random.default_rng(3).standard_normal(1 << 18, dtype=np.float32)
    half = values.astype(np.float16)
    raw, quantised = half.view(np.uint8), SCHEMES[scheme].quantise(values)
    decoded, widened = SCHEMES[scheme].dequantise(quantised), half.astype(np.float32)
    pair = Pair(
        TensorInfo("t", "F16", (512, 512), raw.nbytes),
        TensorInfo("t", scheme, (512, 512), quantised.nbytes),
        lambda: raw,
        lambda: quantised,
    )
    found = next(compare_all([pair], threads=1, window=compare_numpy.compare_window))[1]
    assert found.cosine == pytest.approx(cosine(widened, decoded), abs=1e-13)
    # The plain function adds as the machine's BLAS does; these sums are exact, and so are the products.
    x, y = widened.astype(np.float64), decoded.astype(np.float64)
    xx, yy, xy = (math.fsum((left * right).tolist()) for left, right in ((x, x), (y, y), (x, y)))
    assert found.one_minus_cosine == pytest.approx(1 - xy / math.sqrt(xx * yy), abs=1e-15)
    assert found.relative_l2 == pytest.approx(relative_rmse(widened, decoded), rel=1e-12)
    assert found.max_difference == max_abs_difference(widened, decoded)
    assert abs(float(widened[found.max_index]) - float(decoded[found.max_index])) == found.max_difference
    assert found.elements - found.equal_rounded == differing_elements(widened, decoded)
    agree = half.view(np.uint16) == decoded.astype(np.float16).view(np.uint16)
    size = SCHEMES[scheme].block_elements
    assert found.differing_blocks == np.count_nonzero(~agree.reshape(-1, size).all(axis=1))
    assert found.blocks == len(values) // size
