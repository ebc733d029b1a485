"""What is claimed of speed: of every kernel, on shapes of their class, beside peers that compute the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pv_kernels.measuring import agreement
from pv_kernels.peers import formulas
from pv_kernels.registry import KERNELS
from pv_kernels.spec import Arguments, Results
from pv_kernels.speed import Speed, SpeedCase, filling_of
from pv_kernels.speed_registry import SPEEDS
from pv_kernels.speeds.drawing import by_rows, spread
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from pv.check import named

CONTRACT = Path(__file__).resolve().parents[2] / "contracts/kernel-roofline-v1.yaml"
CASES = [pytest.param(s, c, id=f"{name}-{c.name}") for name, s in SPEEDS.items() for c in s.cases]
H100_L2 = 50 << 20


def claims() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = yaml.safe_load(CONTRACT.read_text())["falsification_tests"]
    return listed


def test_every_kernel_of_the_registry_has_speed_cases() -> None:
    assert set(SPEEDS) == set(KERNELS)
    assert all(SPEEDS[name].spec is KERNELS[name] for name in KERNELS)


def test_every_class_of_every_kernel_is_claimed_and_no_other() -> None:
    claimed = [
        (named(claim["with"]["kernel"]).spec.name, size)
        for claim in claims()
        if "sizes" in claim.get("with", {})
        for size in claim["with"]["sizes"]
    ]
    assert len(set(claimed)) == len(claimed)
    assert set(claimed) == {(name, case.size) for name, speed in SPEEDS.items() for case in speed.cases}


def test_what_torch_compile_is_held_against_has_such_a_peer_and_size() -> None:
    listed = [claim["with"] for claim in claims() if "kernels" in claim.get("with", {})]
    assert listed
    for claim in listed:
        for reference in claim["kernels"]:
            speed: Speed = named(reference)
            assert "compiled" in speed.peers
            assert speed.of_size(claim["size"])


def drawn(case: SpeedCase) -> Arguments:
    """Arguments of the true shapes, without their memory."""
    with FakeTensorMode():
        arguments = case.draw(torch.Generator())
    if "lengths" in arguments:  # whose values decide how much is read
        arguments["lengths"] = torch.full(arguments["lengths"].shape, arguments["k"].shape[2])
    return arguments


@pytest.mark.kernel  # torch takes seconds to start its fake mode
@pytest.mark.parametrize(("speed", "case"), CASES)
def test_shapes_are_of_their_class(speed: Speed, case: SpeedCase) -> None:
    arguments = drawn(case)
    moved = speed.moved(case, arguments)
    assert speed.spec.operations(arguments) > 0
    if case.size in {"large", "vocabulary"}:
        assert moved >= 4 * H100_L2
    elif case.size == "medium":
        assert 16e6 <= moved <= 128e6
    else:
        assert moved <= 16e6


def small(speed: Speed) -> Arguments:
    sample = next(
        case for case in speed.spec.cases if case.name in {"qwen2_5_0_5b", "attention_scores", "weird"}
    )
    return sample.arguments(torch.float32)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("rms_norm", formulas.rms_norm),
        ("rms_norm", formulas.rms_norm_by_torch),
        ("add_rms_norm", formulas.add_rms_norm),
        ("rope", formulas.rope),
        ("softmax", formulas.softmax),
        ("swiglu", formulas.swiglu),
        ("attention", formulas.causal_attention),
        ("matmul", formulas.matmul),
        ("cross_entropy", formulas.cross_entropy),
        ("cross_entropy_with_gradient", formulas.cross_entropy_with_gradient),
        ("rms_norm_backward", formulas.rms_norm_backward),
        ("swiglu_backward", formulas.swiglu_backward),
        ("rope_backward", formulas.rope_backward),
        ("attention", formulas.prefill_by_torch),
    ],
)
def test_peers_compute_the_same(name: str, formula: Any) -> None:
    arguments = small(SPEEDS[name])
    found = formula(**arguments)
    ours = (found,) if isinstance(found, Tensor) else found
    for result, expected in zip(ours, SPEEDS[name].spec.expected(arguments), strict=True):
        torch.testing.assert_close(result.double(), expected, rtol=1e-4, atol=1e-5)


def test_the_peer_of_decode_attention_computes_the_same_over_a_full_cache() -> None:
    speed = SPEEDS["decode_attention"]
    generator = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(shape, generator=generator) for shape in ((2, 14, 64), (2, 2, 9, 64), (2, 2, 9, 64))
    )
    arguments = {"q": q, "k": k, "v": v, "lengths": torch.tensor([9, 9], dtype=torch.int32)}
    found = formulas.decode_attention(**arguments)
    torch.testing.assert_close(found.double(), speed.spec.expected(arguments)[0], rtol=1e-4, atol=1e-5)


def computed(speed: Speed, arguments: Arguments) -> Results:
    """What a right kernel would return: the reference, rounded."""
    dtype = arguments["x" if "x" in arguments else "q"].dtype
    return tuple(result.to(dtype) for result in speed.spec.expected(arguments))


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("q4k_gemv", {"rows": 40, "columns": 256}),
        ("matmul", {"rows": 40, "columns": 50}),
        ("attention", {"heads": 4, "tokens": 70}),
        ("decode_attention", {"heads": 4, "tokens": 70}),
    ],
)
def test_the_parts_that_are_compared_have_the_first_and_the_last_of_everything(
    name: str, sizes: dict[str, int]
) -> None:
    speed = SPEEDS[name]
    generator = torch.Generator().manual_seed(0)
    arguments: Arguments
    if name == "matmul":
        shape = (sizes["rows"], sizes["columns"])
        arguments = {side: torch.randn(shape, generator=generator) for side in ("x", "weight")}
    elif name == "q4k_gemv":
        shape = (sizes["rows"], sizes["columns"] // 256 * 144)
        weight = torch.randint(0, 60, shape, generator=generator, dtype=torch.uint8)
        arguments = {"weight": weight, "x": torch.randn(1, sizes["columns"], generator=generator)}
    else:
        tokens = sizes["tokens"]
        one = (2, sizes["heads"], 64) if name == "decode_attention" else (1, sizes["heads"], tokens, 64)
        cache = (one[0], 2, tokens, 64)
        q, k, v = (torch.randn(shape, generator=generator) for shape in (one, cache, cache))
        arguments = {"q": q, "k": k, "v": v}
        if name == "decode_attention":
            arguments["lengths"] = torch.full((2,), tokens, dtype=torch.int32)
    results = computed(speed, arguments)
    case = speed.cases[0]
    assert agreement(speed, case, arguments, results) <= 1
    for index in (0, -1):
        wrong = results[0].clone()
        wrong.view(-1)[index] += 1
        assert agreement(speed, case, arguments, (wrong,)) > 1


def test_rows_are_compared_at_both_ends() -> None:
    arguments: Arguments = {"x": torch.arange(100.0)[:, None], "eps": 1.0}
    ((part, (result,)),) = by_rows("x")(arguments, (arguments["x"] * 2,))
    assert torch.equal(part["x"] * 2, result)
    assert part["x"][[0, -1]].flatten().tolist() == [0.0, 99.0]
    assert part["eps"] == 1.0
    assert (spread(3), len(spread(10**9)), spread(10**9)[-1]) == ([0, 1, 2], 16, 10**9 - 1)


def test_before_a_kernel_that_writes_the_cache_is_filled_as_it_would_leave_it() -> None:
    result = torch.zeros(1000)
    assert filling_of(8000, result) == "copied"
    assert filling_of(8 * 4000 + 1, (result,)) == "read"


def test_a_speed_that_measures_nothing_is_refused() -> None:
    speed = SPEEDS["swiglu"]
    with pytest.raises(ValueError, match="repeat a name"):
        Speed(speed.spec, (speed.cases[0], speed.cases[0]))
    with pytest.raises(ValueError, match="no case is vocabulary; there are"):
        speed.of_size("vocabulary")
    with pytest.raises(ValueError, match=re.escape("['mkl']")):
        Speed(speed.spec, speed.cases, {"mkl": speed.peers["torch"]})  # type: ignore[dict-item]
