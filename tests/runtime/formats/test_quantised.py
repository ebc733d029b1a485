from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.quantised import quantisable, quantised_view
from pv_runtime.quant import scheme_named


def test_the_view_holds_the_matrices_in_the_scheme_and_nothing_else(model_folder: Path) -> None:
    model, scheme = open_checkpoint(model_folder), scheme_named("q6_k")
    view = quantised_view(model, scheme)
    assert view.names() == quantisable(model, scheme) == model.matrices()
    first, second = view.names()[5:7]
    for name in (first, second, first):
        expected = scheme.quantise(model.tensor(name).reshape(-1))
        assert np.array_equal(view.raw(name), expected)
        assert view.info(name).nbytes == expected.size
        assert np.array_equal(view.tensor(name).reshape(-1), scheme.dequantise(expected))


def test_what_is_kept_cannot_be_written_to(model_folder: Path) -> None:
    view = quantised_view(open_checkpoint(model_folder), scheme_named("q8_0"))
    with pytest.raises(ValueError, match="read-only"):
        view.raw(view.names()[0])[0] = 1
