"""Defects of reading and writing model files."""

from __future__ import annotations

from benchmarks.replay.defect import Defect
from benchmarks.replay.planting import in_check

__all__ = ["FILES"]

FILES: dict[int, Defect] = {
    7: in_check(
        "row padding at 896 exported as Q4_K",
        "Rows of 896 were filled up to 1024 for blocks of 256, which ggml forbids: a corrupt file as GGUF.",
        "FALSIFY-HANDLING-003",
        "rows_filled_up",
    ),
    8: in_check(
        "Q5_K decoded as Q4_K",
        "A loader sent type 13, blocks of 176 bytes, through the routine for blocks of 144.",
        "FALSIFY-LAYOUT-007",
        "one_for_another",
    ),
    9: in_check(
        "a missing tensor zero-filled",
        "A tensor that was not found, or was too short, became zeros without a word.",
        "FALSIFY-LAYOUT-001",
        "matrix_filled_with_zeros",
    ),
    10: in_check(
        "whole-file read per tensor",
        "A comparison read 8 GB anew for each of 339 tensors, 2.7 TB in all.",
        "FALSIFY-HANDLING-002",
        "whole_file_for_each_tensor",
    ),
    23: in_check(
        "a stamp that changes bytes",
        "Writing a licence into a file's metadata must leave every tensor as it is; evidence cited the file "
        "before and the file after it as one.",
        "FALSIFY-TINY-SHIP-009",
        "flipped_bit",
    ),
}
