"""What torch's own differentiation gives in float64, against the kernels' gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pv_kernels.rmsnorm_backward
import pytest
import torch
from pv_kernels import autograd
from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import ValueRangeError
from pv_kernels.interpreter import Launch
from pv_kernels.registry import KERNELS
from pv_kernels.spec import Arguments, Results
from pv_kernels.specs.samples import used
from torch import Tensor
from torch.nn import functional

pytestmark = pytest.mark.kernel

Differentiable = Callable[..., Any]
FORTH: dict[str, tuple[str, Differentiable, dict[str, str]]] = {
    "rms_norm_backward": ("rms_norm", autograd.rms_norm, {"x": "x", "weight": "weight"}),
    "swiglu_backward": ("swiglu", autograd.swiglu, {"gate": "gate", "up": "up"}),
    "rope_backward": ("rope", autograd.rope, {"q": "dq", "k": "dk"}),
}
"""Gradient → kernel forth, what training calls, and the gradient's sample of what is differentiated."""


def sample(name: str, case: str, dtype: torch.dtype) -> Arguments:
    return next(c for c in KERNELS[name].cases if c.name == case).arguments(dtype)


def split(name: str, arguments: Arguments) -> tuple[Arguments, Results]:
    """Return arguments of the kernel forth, and gradients of its results."""
    if name == "rope_backward":
        # The gradients' sample is one of queries and keys too: turned round, it is of other numbers.
        forth = {{"dq": "q", "dk": "k"}.get(key, key): value for key, value in arguments.items()}
        return {**forth, "q": forth["q"].flip(0), "k": forth["k"].flip(0)}, (arguments["dq"], arguments["dk"])
    return {key: value for key, value in arguments.items() if key != "dy"}, (arguments["dy"],)


def together(results: Any) -> Results:
    return (results,) if isinstance(results, Tensor) else tuple(results)


def differentiated(
    call: Differentiable, arguments: Arguments, names: dict[str, str], gradients: Results
) -> list[Tensor]:
    """Return what torch gives of `call` going back from `gradients`."""
    leaves = {name: arguments[name].detach().clone().requires_grad_() for name in names}
    results = together(call(**{**arguments, **leaves}))
    return list(torch.autograd.grad(results, list(leaves.values()), gradients))


def double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.dtype in FLOATS else value


@pytest.mark.parametrize("name", FORTH)
@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_are_those_of_torch_in_float64(
    launches: list[Launch], name: str, dtype: torch.dtype
) -> None:
    forth, call, names = FORTH[name]
    arguments = sample(name, "weird", dtype)
    given, gradients = split(name, arguments)
    ours = differentiated(call, given, names, gradients)
    exact = {key: double(value) for key, value in given.items()}
    theirs = differentiated(KERNELS[forth].reference, exact, names, tuple(map(double, gradients)))
    assert [gradient.dtype for gradient in ours] == [dtype] * 2
    assert used(tuple(ours), tuple(theirs), KERNELS[name].tolerance(arguments, tuple(theirs))) <= 1
    assert launches


@pytest.mark.parametrize("name", FORTH)
@pytest.mark.parametrize("case", ["weird", "three_dimensions", "one_row", "odd"])
def test_the_formula_of_a_gradient_is_what_torch_derives(name: str, case: str) -> None:
    if name == "rope_backward" and case == "three_dimensions":
        case = "one_pair"
    forth, _, names = FORTH[name]
    given, gradients = split(name, {k: double(v) for k, v in sample(name, case, torch.float32).items()})
    theirs = differentiated(KERNELS[forth].reference, given, names, gradients)
    ours = KERNELS[name].expected(sample(name, case, torch.float32))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FORTH)
def test_the_gradient_of_a_sum_has_elements_in_one_place(launches: list[Launch], name: str) -> None:
    _, call, names = FORTH[name]
    given, gradients = split(name, sample(name, "odd", torch.float32))
    leaves = {key: given[key].clone().requires_grad_() for key in names}
    total = sum(result.sum() for result in together(call(**{**given, **leaves})))
    assert isinstance(total, Tensor)
    total.backward()
    ones = differentiated(call, given, names, tuple(torch.ones_like(gradient) for gradient in gradients))
    for leaf, expected in zip(leaves.values(), ones, strict=True):
        assert leaf.grad is not None
        assert torch.equal(leaf.grad, expected)
    assert launches


def test_a_frozen_weight_gets_no_gradient(launches: list[Launch]) -> None:
    x, weight = torch.randn(3, 64, requires_grad=True), torch.ones(64)
    autograd.rms_norm(x, weight, 1e-6).sum().backward()
    assert x.grad is not None
    assert weight.grad is None
    assert [launch.kernel for launch in launches] == [
        "rms_norm_kernel",
        "rms_norm_backward_kernel",
        "sum_rows_kernel",
    ]


def test_more_rows_than_programs_are_shared_among_them(
    launches: list[Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pv_kernels.rmsnorm_backward, "PROGRAMS", 2)
    spec, arguments = (
        KERNELS["rms_norm_backward"],
        sample("rms_norm_backward", "several_programs", torch.float32),
    )
    expected = spec.expected(arguments)
    assert used(spec.run(arguments), expected, spec.tolerance(arguments, expected)) <= 1
    assert [launch.grid for launch in launches] == [(2,), (1,)]


def entropy(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    arguments = sample("cross_entropy", "ignored", dtype)
    return arguments["logits"], arguments["targets"]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_cross_entropy_is_that_of_torch_in_float64(
    launches: list[Launch], dtype: torch.dtype, reduction: autograd.Reduction
) -> None:
    logits, targets = entropy(dtype)
    upstream = torch.linspace(0.5, 2, 4) if reduction == "none" else torch.tensor(0.5)
    leaf, exact = logits.clone().requires_grad_(), logits.double().requires_grad_()
    loss = autograd.cross_entropy(leaf, targets, reduction=reduction)
    loss.backward(upstream)
    theirs = functional.cross_entropy(exact, targets, reduction=reduction)
    theirs.backward(upstream.double())
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), theirs, rtol=2e-6, atol=0)
    # Of the mean, two of four rows count: their number is exact.
    factor = (upstream / 2 if reduction == "mean" else upstream).expand(4)
    arguments = {"logits": logits, "targets": targets, "upstream": factor}
    spec = KERNELS["cross_entropy_with_gradient"]
    assert leaf.grad is not None
    assert exact.grad is not None
    expected = (functional.cross_entropy(logits.double(), targets, reduction="none"), exact.grad)
    allowed = spec.tolerance(arguments, expected)
    assert used((leaf.grad,), (exact.grad,), allowed[1:]) <= 1
    assert [launch.kernel for launch in launches] == [
        "cross_entropy_kernel",
        "cross_entropy_with_gradient_kernel",
    ]


def test_a_mean_over_no_rows_is_nan_as_of_torch(launches: list[Launch]) -> None:
    logits, targets = torch.randn(2, 9, requires_grad=True), torch.full((2,), -100)
    loss = autograd.cross_entropy(logits, targets)
    assert loss.isnan()
    assert functional.cross_entropy(logits, targets).isnan()
    assert launches


def test_a_gradient_over_the_logits_costs_no_memory_and_is_not_taken_for_them(launches: list[Launch]) -> None:
    logits, targets = entropy(torch.bfloat16)
    apart = logits.clone().requires_grad_()
    autograd.cross_entropy(apart, targets).backward()
    weight = torch.ones((), dtype=torch.bfloat16, requires_grad=True)
    produced = logits * weight
    places: list[int] = []
    produced.register_hook(lambda gradient: places.append(gradient.data_ptr()))
    loss = autograd.cross_entropy(produced, targets, overwrite=True)
    loss.backward(retain_graph=True)
    assert places == [produced.data_ptr()]
    assert apart.grad is not None
    assert torch.equal(produced.detach(), apart.grad)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    assert launches


def test_without_a_gradient_one_kernel_reads_the_logits_once(launches: list[Launch]) -> None:
    logits, targets = entropy(torch.float32)
    with torch.no_grad():
        autograd.cross_entropy(logits.requires_grad_(), targets)
    assert [launch.kernel for launch in launches] == ["cross_entropy_kernel"]


def test_a_gradient_is_not_differentiated_again(launches: list[Launch]) -> None:
    logits, targets = torch.randn(2, 9, requires_grad=True), torch.tensor([1, 2])
    loss = autograd.cross_entropy(logits, targets)
    (gradient,) = torch.autograd.grad(loss, logits, create_graph=True)
    assert not gradient.requires_grad
    gate, up = (torch.randn(2, 9, requires_grad=True) for _ in range(2))
    squared = autograd.swiglu(gate, up).square().sum()
    (gradient,) = torch.autograd.grad(squared, gate, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
    assert launches


def test_another_word_for_a_reduction_is_refused(launches: list[Launch]) -> None:
    logits, targets = entropy(torch.float32)
    reduction: Any = "average"
    with pytest.raises(ValueRangeError, match="'average'; wanted is mean, sum or none"):
        autograd.cross_entropy(logits, targets, reduction=reduction)
    assert len(launches) <= 1
