"""Whether two stored weights are the same but for the rounding of their dtypes.

The allowance for a value stored in float16 or bfloat16 is u |w|, u the unit roundoff (2^-24, half of the
smallest number, at least, for float16). For a block format of b bits, whose codes divide the range of a
block, it is per block of 256: rms error <= 2 · range / (2^b - 1) / sqrt(12), which is twice the error of
rounding to a uniform grid over the block; formats with a scale for each 32 values stay well below.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

__all__ = ["Storage", "judge_storage"]

_UNIT = {"F16": 2.0**-11, "BF16": 2.0**-8, "F32": 0.0, "F64": 2.0**-24}
_BITS = {
    "Q2_K": 2, "Q3_K": 3, "Q4_0": 4, "Q4_1": 4, "Q4_K": 4, "APR_Q4": 4, "Q5_0": 5, "Q5_1": 5, "Q5_K": 5,
    "Q6_K": 6, "Q8_0": 8, "APR_Q8": 8, "IQ4_NL": 4, "IQ4_XS": 4, "MXFP4": 4,
}  # fmt: skip
_ROWS = 1 << 12
"""Blocks that are compared at a time, so that a large embedding needs no copies of itself."""
_ALIKE = 0.9
"""Where this share of blocks is equal, the same tensor was stored, and other blocks are damage."""


@dataclasses.dataclass(frozen=True, slots=True)
class Storage:
    """What storing may have done to a weight.

    Parameters
    ----------
    accepted
        Whether rounding alone explains the difference.
    relative_l2
        |candidate - reference| / |reference|.
    words
        For people.
    """

    accepted: bool
    relative_l2: float
    words: str


def judge_storage(
    reference: Tensor, candidate: Tensor, reference_dtype: str, candidate_dtype: str
) -> Storage:
    """Compare a weight of both sides, float32 of one shape, stored as these dtypes."""
    dtypes = f"{candidate_dtype} against {reference_dtype}"
    plain = [each for each in (reference_dtype, candidate_dtype) if each in _UNIT]
    unit, floor = sum(_UNIT[each] for each in plain), 2.0**-25 if "F16" in plain else 0.0
    steps = sum(1 / (2 ** _BITS[each] - 1) for each in (reference_dtype, candidate_dtype) if each in _BITS)
    width = 256 if reference.numel() % 256 == 0 else reference.shape[-1]
    blocks, wrong, equal, size, error = 0, 0, 0, 0.0, 0.0
    pairs = zip(
        *(torch.split(each.reshape(-1, width), _ROWS) for each in (reference, candidate)), strict=True
    )
    for ours, theirs in pairs:
        difference = (theirs - ours).abs_()
        if not bool(torch.isfinite(difference).all()):
            return Storage(accepted=False, relative_l2=math.nan, words=f"not finite ({dtypes})")
        magnitude = ours.abs()
        largest = magnitude.amax(1)
        squares = difference.square().sum(1)
        if steps:
            allowed = 4 * steps * largest / math.sqrt(12) + (unit * largest).clamp_(min=floor)
            wrong += int((squares > width * allowed.square()).sum())
        else:
            allowed = magnitude.mul_(unit * 1.01).clamp_(min=floor)
            wrong += int((difference > allowed).any(1).sum())
        blocks += len(ours)
        equal += int((squares == 0).sum())
        size += float(ours.square().sum(dtype=torch.float64))
        error += float(squares.sum(dtype=torch.float64))
    share = math.sqrt(error / size) if size else math.inf
    if not steps:
        return Storage(wrong == 0, share, f"rounding of {dtypes}: {share:.2g}")
    if reference_dtype == candidate_dtype and _ALIKE <= equal / blocks < 1:
        words = f"{blocks - equal} of {blocks} blocks differ, and the others are equal"
        return Storage(accepted=False, relative_l2=share, words=words)
    words = f"{wrong} blocks beyond {dtypes}" if wrong else f"quantised, {dtypes}: {share:.2g}"
    return Storage(wrong == 0, share, words)
