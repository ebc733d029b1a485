from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.bisect.storage import judge_storage
from pv_runtime.quant import SCHEMES
from torch import Tensor


def weights(seed: int, kind: str) -> Tensor:
    generator = np.random.default_rng(seed)
    values = {
        "normal": generator.standard_normal((16, 256)),
        "laplace": generator.laplace(size=(16, 256)),
        "student": generator.standard_t(4, size=(16, 256)),
    }[kind]
    return torch.from_numpy((values * 0.02).astype(np.float32))


def stored(values: Tensor, scheme: str) -> Tensor:
    found = SCHEMES[scheme]
    return torch.from_numpy(found.dequantise(found.quantise(values.numpy()))).view(values.shape)


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), kind=st.sampled_from(["normal", "laplace", "student"]))
def test_quantising_is_accepted_and_one_wrong_block_is_not(scheme: str, seed: int, kind: str) -> None:
    values = weights(seed, kind)
    kept = stored(values, scheme)
    assert judge_storage(values, kept, "F16", scheme).accepted
    damaged = kept.clone()
    damaged[5] *= 2
    assert not judge_storage(values, damaged, "F16", scheme).accepted


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_halves_are_accepted_as_what_they_say_they_are(dtype: torch.dtype) -> None:
    values = weights(1, "normal")
    kept, name = values.to(dtype).float(), {torch.float16: "F16", torch.bfloat16: "BF16"}[dtype]
    assert judge_storage(values, kept, "F32", name).accepted
    assert not judge_storage(values, kept, "F32", "F32").accepted
    assert not judge_storage(values, kept * 1.01, "F32", name).accepted


def test_the_same_blocks_but_for_a_few_are_damage_and_not_rounding() -> None:
    kept = stored(weights(2, "normal"), "Q4_K")
    other = kept.clone()
    other[3, 7] += 1e-4
    found = judge_storage(kept, other, "Q4_K", "Q4_K")
    assert not found.accepted
    assert "1 of 16 blocks differ" in found.words
    assert judge_storage(kept, kept, "Q8_0", "Q4_K").accepted


def test_what_is_not_finite_is_never_accepted() -> None:
    values = weights(3, "normal")
    broken = values.clone()
    broken[0, 0] = float("nan")
    assert not judge_storage(values, broken, "F32", "Q8_0").accepted
