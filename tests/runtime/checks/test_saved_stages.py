from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.saved_stages import kept_stages
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
GGUF = Path(__file__).parents[3] / "models" / "tiny-qwen2-q4_k" / "model.gguf"


def lost(run: Series) -> set[str]:
    """The lines of FALSIFY-APR-TRACE-SAVE-001 that fail."""
    assert (run["expected_kept"], run["damaged"]) == ([4], [6])
    lines = {
        "count": run["kept"] == run["read_back"] == [4],
        "bits": sum(run["differing_bits"]) == 0,
        "header": sum(run["wrong_header"]) == 0,
        "runs": run["runs_differ"] == [0],
        "nan": run["nan_bits_kept"] == [1],
        "damaged": sum(run["damaged_accepted"]) == 0,
    }
    return {name for name, line in lines.items() if not line}


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("kept_in_half", {"bits", "nan"}),
        ("nan_made_the_usual_one", {"bits", "nan"}),
        ("one_layer_left_out", {"count"}),
        ("layers_exchanged", {"bits"}),
        ("time_of_writing_inside", {"runs"}),
    ],
)
def test_what_is_kept_comes_back_and_what_is_damaged_does_not(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    model = open_checkpoint(GGUF)
    run = measure(
        kept_stages, {"model": model}, name, stages=["embedding", "ffn_gate", "lm_head"], layers=[0, 3]
    )
    assert lost(run) == seen_by
