from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.checks.traces import format_parity, watched_forward
from pv_runtime.formats import open_checkpoint

Series = dict[str, list[Any]]
Measure = Callable[..., Series]
GGUF = Path(__file__).parents[3] / "models" / "tiny-qwen2-q4_k" / "model.gguf"


def unwatched(run: Series) -> set[str]:
    """The lines of FALSIFY-FFN-GGUF-001 that fail."""
    assert (run["expected_stages"], run["logits"]) == ([78], [4096, 5 * 4096])
    return {
        name for name in ("missing", "wrong_count", "differing_logits", "not_passed_on") if sum(run[name]) > 0
    }


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("looking_rounds", {"differing_logits", "not_passed_on"}),
        ("one_stage_not_seen", {"missing"}),
        ("last_token_only", {"wrong_count"}),
        ("layers_one_off", {"not_passed_on"}),
    ],
)
def test_a_watched_pass_is_whole_and_computes_the_same(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    assert (
        unwatched(measure(watched_forward, {"model": open_checkpoint(GGUF)}, name, lengths=[1, 5])) == seen_by
    )


def unlike(run: Series) -> set[str]:
    """The lines of FALSIFY-APR-GGUF-PARITY-001 that fail."""
    assert (run["stages"], run["one_sided"]) == ([78], [0])
    if sum(run["count_differs"]):
        assert "std_ratio" not in run
        return {"counts"}
    lines = {
        "ratio": min(run["std_ratio"]) >= 0.999 and max(run["std_ratio"]) <= 1.001,
        "cosine": min(run["token_cosine"]) >= 0.999999,
        "bits": sum(run["differing_values"]) == 0,
        "top": run["same_top"] == [1],
    }
    return {name for name, line in lines.items() if not line}


@pytest.mark.parametrize(
    ("name", "seen_by"),
    [
        (None, set()),
        ("square_weight_transposed", {"ratio", "cosine", "bits", "top"}),
        ("sign_of_one_matrix", {"ratio", "cosine", "bits", "top"}),
        ("rows_permuted", {"ratio", "cosine", "bits", "top"}),
        ("one_block_scaled", {"ratio", "cosine", "bits", "top"}),
        ("last_token_beside_all", {"counts"}),
        ("bias_before_and_after", {"ratio", "cosine", "bits"}),
    ],
)
def test_two_formats_compute_the_same_and_only_like_is_compared(
    measure: Measure, name: str | None, seen_by: set[str]
) -> None:
    reference = open_checkpoint(GGUF)
    run = measure(format_parity, {"reference": reference}, name, prompt_tokens=24, candidate_format="apr")
    assert unlike(run) == seen_by
