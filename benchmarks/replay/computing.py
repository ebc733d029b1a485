"""Defects of what is computed: of which shape a model is, and how its parts are multiplied."""

from __future__ import annotations

from benchmarks.replay.defect import Defect
from benchmarks.replay.planting import in_check

__all__ = ["COMPUTING"]

_ARCH = "FALSIFY-APR-PRETRAIN-ARCH"

COMPUTING: dict[int, Defect] = {
    1: in_check(
        "tie flag wrong for 0.5B",
        "A description of the family called all sizes untied; 0.5B and 1.5B share one matrix, and a "
        "checkpoint gained a head of 136 million parameters.",
        f"{_ARCH}-001",
        "tied_the_other_way",
    ),
    2: in_check(
        "shapes hard-coded to one model",
        "The trainer built the 370M Llama whatever checkpoint it was to begin with.",
        f"{_ARCH}-003",
        "constants_of_one_model",
    ),
    3: in_check(
        "transposed F32 lm_head GEMV",
        "A kernel read [out, in] as [in, out] in the head alone; the cosine of the logits was -0.005, and "
        "attention, which was right, was suspected.",
        "FALSIFY-HANDLING-004",
        "read_transposed",
    ),
}
