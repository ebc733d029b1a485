"""Scales of blocks that are no numbers: such a file loads, and what it holds is reported by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pv_runtime.checks.weights import weight_values
from pv_runtime.formats import open_checkpoint
from pv_runtime.qa.gate import Settings
from pv_runtime.qa.structure import tensor_contract
from pv_runtime.qa.subject import Subject
from pv_runtime.weight_statistics import weight_statistics

GGUF = Path(__file__).parents[3] / "models" / "tiny-qwen2-q4_k" / "model.gguf"
BLOCK, VALUES = 144, 256
"""Bytes and values of a block of Q4_K, which begins with two scales in fp16: d and dmin (ggml-common.h)."""

SCALES = {"infinite": 0xFC00, "signalling NaN": 0x7D01}


@pytest.mark.parametrize("field", [0, 2], ids=["d", "dmin"])
@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_that_is_no_number_loads_and_is_reported(
    tmp_path: Path, measure: Callable[..., dict[str, list[Any]]], field: int, scale: str
) -> None:
    """Warnings are errors here, and none is allowed."""
    honest = open_checkpoint(GGUF)
    name = next(name for name in honest.names() if honest.info(name).dtype == "Q4_K")
    whole = bytearray(GGUF.read_bytes())
    place = whole.find(honest.raw(name).tobytes()) + 5 * BLOCK + field
    whole[place : place + 2] = SCALES[scale].to_bytes(2, "little")
    path = tmp_path / "model.gguf"
    path.write_bytes(whole)

    model = open_checkpoint(path)
    found = model.tensor(name).ravel()
    odd = np.flatnonzero(~np.isfinite(found))
    assert 0 < odd.size <= VALUES
    assert {int(each) // VALUES for each in odd} == {5}
    statistics = weight_statistics(model, name)
    assert statistics.nan + statistics.infinite == odd.size
    run = measure(weight_values, {"model": model})
    assert sum(run["nonfinite"]) == odd.size
    gate = tensor_contract(Subject(str(path)), Settings())
    assert not gate.passed
    assert name in gate.message
