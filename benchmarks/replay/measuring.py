"""Defects of instruments: what was measured was sound, and the comparison was not."""

from __future__ import annotations

from benchmarks.replay.defect import Defect
from benchmarks.replay.planting import in_check

__all__ = ["MEASURING"]

_PARITY = "FALSIFY-APR-GGUF-PARITY-001"

MEASURING: dict[int, Defect] = {
    4: in_check(
        "statistics over different token sets",
        "One side's figures were of seven tokens and the other's of the last; layer 3 looked 18 times off, "
        "and was off by 1.2.",
        _PARITY,
        "last_token_beside_all",
    ),
    5: in_check(
        "qkv before the bias on one side, after it on the other",
        "Two points were captured under one name; standard deviations of 10.3 and 1.1 were taken for a "
        "defect of the model.",
        _PARITY,
        "bias_before_and_after",
    ),
    # Of four formats the one that is quantised the quickest: the headline's was Q4_K.
    6: in_check(
        "a quantised file beside its own dequantisation",
        "The headline cosine of 0.99999994 was between a Q4_K file and an fp16 copy made from it: it "
        "measured the rounding of fp16.",
        "FALSIFY-TINY-QUANT-008",
        "source_is_own_dequantisation_fp16",
    ),
}
