from __future__ import annotations

import torch
from pv_kernels.placement import backend, on_device, placed
from pv_kernels.softmax import softmax
from torch import Tensor


def test_a_tensor_is_placed_as_it_lies_in_memory() -> None:
    x = torch.arange(60, dtype=torch.float32)[7:55].view(6, 8)[:, 1::3].t()
    there = placed(x, "cpu:0")
    assert (there.shape, there.stride(), there.storage_offset()) == (x.shape, x.stride(), x.storage_offset())
    assert there.untyped_storage().nbytes() == x.untyped_storage().nbytes()
    assert there.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
    assert torch.equal(there, x)
    assert placed("word", "cpu:0") == "word"
    assert placed(x, "cpu") is x


def test_a_call_on_the_cpu_goes_to_the_interpreter() -> None:
    with backend("cpu") as launches:
        result = on_device(softmax, "cpu")(torch.zeros(2, 4))
    assert torch.equal(result, torch.full((2, 4), 0.25))
    assert isinstance(launches, list)
    assert [launch.kernel for launch in launches] == ["softmax_kernel"]


def test_tensors_are_moved_by_place_and_by_name() -> None:
    seen: list[Tensor] = []

    def call(x: Tensor, *, y: Tensor, size: int) -> tuple[Tensor, Tensor]:
        seen.extend((x, y))
        return x[:size], y[:size]

    x, y = torch.ones(3), torch.zeros(3)
    ones, zeros = on_device(call, "cpu:0")(x, y=y, size=2)
    assert [a.data_ptr() == b.data_ptr() for a, b in zip(seen, (x, y), strict=True)] == [False, False]
    assert (float(ones.sum()), float(zeros.sum())) == (2.0, 0.0)
