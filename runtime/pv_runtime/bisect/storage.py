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
    difference = (candidate - reference).double()
    size = float(reference.double().norm())
    share = float(difference.norm()) / size if size else math.inf
    dtypes = f"{candidate_dtype} against {reference_dtype}"
    if not bool(torch.isfinite(candidate).all()):
        return Storage(accepted=False, relative_l2=math.nan, words=f"not finite ({dtypes})")
    plain = [each for each in (reference_dtype, candidate_dtype) if each in _UNIT]
    allowed = reference.abs().double() * sum(_UNIT[each] for each in plain)
    if "F16" in plain:
        allowed = allowed.clamp(min=2.0**-25)
    bits = [_BITS[each] for each in (reference_dtype, candidate_dtype) if each in _BITS]
    if not bits:
        accepted = bool((difference.abs() <= allowed * 1.01).all())
        return Storage(accepted, share, f"rounding of {dtypes}, {share:.2g}")
    width = 256 if reference.numel() % 256 == 0 else reference.shape[-1]
    blocks = difference.reshape(-1, width)
    values = reference.double().reshape(-1, width)
    equal = float((blocks == 0).all(1).double().mean())
    if reference_dtype == candidate_dtype and equal >= _ALIKE:
        return Storage(accepted=False, relative_l2=share, words=f"{1 - equal:.2g} of the blocks differ")
    spread = 2 * values.abs().amax(1)
    steps = sum(spread / (2**each - 1) for each in bits)
    budget = 2 * steps / math.sqrt(12) + allowed.reshape(-1, width).amax(1)
    wrong = blocks.square().mean(1).sqrt() > budget
    words = (
        f"quantised, {dtypes}: {share:.2g}"
        if not bool(wrong.any())
        else f"{int(wrong.sum())} blocks beyond {dtypes}"
    )
    return Storage(not bool(wrong.any()), share, words)
