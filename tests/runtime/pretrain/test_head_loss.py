from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.pretrain.head_loss import head_loss
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
TOLERANCES = {torch.float64: 1e-12, torch.float32: 2e-5}


def plain(hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(functional.linear(hidden, head), targets, reduction="sum")


def drawn(positions: int, vocabulary: int, width: int, dtype: torch.dtype, seed: int) -> tuple[Tensor, ...]:
    """An embedding, a head of its own, the tokens that are read, and those that follow them."""
    generator = torch.Generator().manual_seed(seed)
    embedding, head = (torch.randn(vocabulary, width, generator=generator, dtype=dtype) for _ in range(2))
    tokens, targets = (torch.randint(vocabulary, (positions,), generator=generator) for _ in range(2))
    return embedding.requires_grad_(), head.requires_grad_(), tokens, targets


def learnt(loss: Loss, tied: bool, *parts: Tensor) -> list[Tensor]:
    """The mean loss, and the gradients of what the model is made of."""
    embedding, head, tokens, targets = parts
    matrix = embedding if tied else head
    # Something between, so that a gradient reaches the embedding through it.
    hidden = torch.tanh(embedding[tokens])
    mean = loss(hidden, matrix, targets) / targets.numel()
    return [mean, *torch.autograd.grad(mean, [embedding] if tied else [embedding, head])]


@settings(max_examples=40, deadline=None)
@given(
    positions=st.integers(1, 40),
    vocabulary=st.integers(1, 50),
    width=st.integers(1, 9),
    rows=st.integers(1, 45),
    tied=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 99),
)
def test_loss_and_gradients_are_those_of_the_plain_formula(
    positions: int, vocabulary: int, width: int, rows: int, tied: bool, dtype: torch.dtype, seed: int
) -> None:
    parts = drawn(positions, vocabulary, width, dtype, seed)
    ours = learnt(lambda x, w, t: head_loss(x, w, t, rows=rows), tied, *parts)
    for found, expected in zip(ours, learnt(plain, tied, *parts), strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found, expected, atol=TOLERANCES[dtype], rtol=TOLERANCES[dtype])


def test_a_second_pass_over_what_the_first_has_changed_is_refused() -> None:
    embedding, head, tokens, targets = drawn(7, 11, 3, torch.float32, 0)
    total = head_loss(embedding[tokens], head, targets)
    (total / 7).backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        (total / 7).backward()


def test_under_autocast_it_is_as_far_from_float32_as_the_plain_formula_is() -> None:
    parts = drawn(64, 300, 32, torch.float32, 1)
    exact = learnt(plain, True, *parts)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, theirs = (
            learnt(way, True, *parts)
            for way in (
                lambda x, w, t: head_loss(x, w, t, rows=20),
                lambda x, w, t: functional.cross_entropy(functional.linear(x, w).float(), t, reduction="sum"),
            )
        )
    assert ours[0].dtype == torch.float32
    assert not torch.equal(ours[0], exact[0])
    for found, other, right in zip(ours, theirs, exact, strict=True):
        assert found.dtype == right.dtype
        assert (found - right).norm() <= 1.5 * (other - right).norm() + 1e-6 * right.norm()


def test_the_bits_follow_from_what_is_given() -> None:
    parts = drawn(700, 90, 16, torch.float32, 2)
    one, two = (learnt(head_loss, True, *parts) for _ in range(2))
    assert all(torch.equal(first, second) for first, second in zip(one, two, strict=True))


def test_a_target_outside_of_the_vocabulary_is_not_passed_over() -> None:
    embedding, head, tokens, targets = drawn(4, 11, 3, torch.float32, 3)
    for wrong in (-100, 11):  # -100 is what cross_entropy leaves out unsaid
        targets[2] = wrong
        with pytest.raises(RuntimeError, match="out of bounds"):
            head_loss(embedding[tokens], head, targets)


def test_without_gradients_none_are_computed() -> None:
    embedding, head, tokens, targets = drawn(9, 2000, 40, torch.float32, 4)
    hidden = embedding.detach()[tokens]
    with torch.no_grad(), Largest() as seen:
        total = head_loss(hidden, head, targets, rows=2)
    assert not total.requires_grad
    assert seen.elements == 2 * 2000
    torch.testing.assert_close(total, plain(hidden, head.detach(), targets))


class Largest(TorchDispatchMode):
    """How many elements the largest tensor has that any operation makes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        given = {each.untyped_storage().data_ptr() for each in args if isinstance(each, Tensor)}
        if isinstance(made, Tensor) and made.untyped_storage().data_ptr() not in given:  # no view
            self.elements = max(self.elements, made.numel())
        return made


@pytest.mark.parametrize("tied", [True, False])
def test_no_tensor_of_a_step_is_as_large_as_all_logits(tied: bool) -> None:
    positions, vocabulary, width, rows = 512, 3000, 8, 16
    parts = drawn(positions, vocabulary, width, torch.float32, 5)
    kept: list[int] = []

    def pack(each: Tensor) -> Tensor:
        kept.append(each.numel())
        return each

    found = {}
    for name, loss in {"plain": plain, "ours": lambda x, w, t: head_loss(x, w, t, rows=rows)}.items():
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda each: each), Largest() as seen:
            learnt(loss, tied, *parts)
        found[name] = (seen.elements, max(kept))
    assert found["plain"] == (positions * vocabulary, positions * vocabulary)
    assert found["ours"] == (rows * vocabulary, vocabulary * width)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # torch's tracing of torch's own class
def test_a_compiler_takes_it_whole() -> None:
    embedding, head, tokens, targets = drawn(50, 30, 8, torch.float32, 6)

    def mean(embedding: Tensor, head: Tensor) -> Tensor:
        return head_loss(torch.tanh(embedding[tokens]), head, targets, rows=20) / 50

    compiled = torch.compile(mean, backend="aot_eager", fullgraph=True)
    one, two = (way(embedding, head) for way in (compiled, mean))
    torch.testing.assert_close(one, two)
    for found, expected in zip(
        torch.autograd.grad(one, [embedding, head]), torch.autograd.grad(two, [embedding, head]), strict=True
    ):
        torch.testing.assert_close(found, expected)
