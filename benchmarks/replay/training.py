"""Defects of training from a checkpoint: each ends well, and trains something else."""

from __future__ import annotations

from benchmarks.replay.defect import Defect
from benchmarks.replay.planting import in_check

__all__ = ["TRAINING"]

_INIT = "FALSIFY-APR-PRETRAIN-INIT"

TRAINING: dict[int, Defect] = {
    11: in_check(
        "silent --synthetic",
        "A dry run on made-up tokens, whose losses fall by a formula, could be reported as training on text.",
        f"{_INIT}-002",
        "passed_off_as_text",
    ),
    12: in_check(
        "silent random init",
        "A run that was to begin with a checkpoint began with weights drawn at random.",
        f"{_INIT}-003",
        "falls_back_to_random_weights",
    ),
    13: in_check(
        "tokenizer/embedding mismatch",
        "Ids of a tokenizer of 151,936 tokens were given to an embedding of 50,257 rows.",
        "FALSIFY-APR-PRETRAIN-ARCH-010",
        "one_token_off",
    ),
    14: in_check(
        "stale optimiser state",
        "Moments of the checkpoint's own training were carried into another run's first step.",
        f"{_INIT}-009",
        "moments_carried_over",
    ),
}
