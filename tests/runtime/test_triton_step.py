"""A step in buffers that stay: what a CUDA graph asks of it, tried on the CPU."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
from pv_kernels.interpreter import interpreting
from pv_runtime.errors import ModelError
from pv_runtime.launch_count import CountedOperators
from pv_runtime.random_model import RandomModel
from pv_runtime.triton_cache import CacheBuffers
from pv_runtime.triton_decoder import TritonDecoder
from pv_runtime.triton_step import CapturedStep, DecodeStep
from pv_runtime.triton_weights import load_triton_weights
from torch.utils._python_dispatch import TorchDispatchMode

from tests.runtime.test_triton_decoder import SMALL, pair

ASKING = frozenset({"_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal", "_to_copy", "unique"})
"""What would wait for a GPU, have a shape that depends on values, or leave it."""


class Unasked(TorchDispatchMode):
    """Refuses what a step that is captured cannot do."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        name = func.overloadpacket.__name__
        assert name not in ASKING, f"{name} asks the device"
        return func(*args, **(kwargs or {}))


def made(batch: int = 1, capacity: int = 8) -> DecodeStep:
    _, ours = pair()
    return DecodeStep(ours, CacheBuffers(SMALL, batch, capacity, torch.float32, "cpu"))


def places(step: DecodeStep) -> list[int]:
    buffers = step.buffers
    fixed = [step.tokens, step.logits, buffers.lengths, buffers.positions, buffers.sequences, *buffers.kept]
    return [each.data_ptr() for each in fixed]


@pytest.mark.kernel
def test_it_says_token_by_token_what_the_reference_says_and_nothing_moves() -> None:
    reference, _ = pair()
    tokens = torch.tensor([[4, 8, 15, 16, 23]])
    expected = reference.forward(tokens)
    step = made()
    before = places(step)
    found = []
    with interpreting(), Unasked():  # type: ignore[no-untyped-call]
        for index in range(tokens.shape[1]):
            step.tokens.copy_(tokens[:, index : index + 1])
            step.run()
            found.append(step.logits.clone())
    torch.testing.assert_close(torch.cat(found, dim=1), expected, atol=1e-4, rtol=0)
    assert places(step) == before
    assert step.buffers.lengths.tolist() == step.buffers.positions.tolist() == [5]


def test_the_refusal_itself_works() -> None:
    with pytest.raises(AssertionError, match="_local_scalar_dense asks"), Unasked():  # type: ignore[no-untyped-call]
        int(torch.ones(1))


@pytest.mark.kernel
def test_a_step_is_the_same_launches_at_every_position() -> None:
    step = made(batch=2)
    found = set()
    for position in (0, 3, 7):
        step.buffers.set(position)
        with interpreting() as launches, CountedOperators() as operators:
            step.run()
        shapes = tuple((launch.kernel, launch.grid) for launch in launches)
        found.add((shapes, tuple(sorted(operators.launching.items()))))
    ((shapes, operators_called),) = found
    assert len(shapes) == 6 * SMALL.layers + 1
    assert sum(count for _, count in operators_called) == 6 * SMALL.layers + 4


@pytest.mark.kernel
def test_logits_that_were_handed_out_are_not_written_again() -> None:
    _, ours = pair()
    cache = ours.cache(capacity=8)
    first = ours.forward(torch.tensor([[1]]), cache=cache)
    kept = first.clone()
    ours.forward(torch.tensor([[2]]), cache=cache)
    assert torch.equal(first, kept)


@pytest.mark.kernel
def test_buffers_that_nobody_has_serve_the_next_text_with_their_step() -> None:
    ours = TritonDecoder(load_triton_weights(RandomModel(SMALL)))
    cache = ours.cache(capacity=8)
    first = ours.forward(torch.tensor([[1]]), cache=cache)
    buffers = cache.buffers
    assert ours.cache(capacity=8).buffers is not buffers
    del cache
    gc.collect()
    assert ours.cache(capacity=16).buffers is not buffers  # another size: those are let go
    cache = ours.cache(capacity=8)
    buffers = cache.buffers
    ours.forward(torch.tensor([[5, 6]]), cache=cache)
    ours.forward(torch.tensor([[7]]), cache=cache)
    step = buffers.step
    del cache
    gc.collect()
    again = ours.cache(capacity=8)
    assert again.buffers is buffers
    assert step is not None
    assert again.buffers.step is step
    assert torch.equal(ours.forward(torch.tensor([[1]]), cache=again), first)


def test_nothing_is_captured_on_a_cpu() -> None:
    with pytest.raises(ModelError, match="a step on cpu cannot be captured"):
        CapturedStep(made())
