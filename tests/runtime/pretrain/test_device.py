from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.pretrain.device import resolve
from pv_runtime.pretrain.errors import TrainingError, UsageError


def asked(text: str, gpus: int, *, cuda: bool = True) -> str:
    return resolve(text, gpus=lambda: gpus, built_with_cuda=lambda: cuda).name


@pytest.mark.parametrize(
    ("text", "gpus", "cuda", "device"),
    [
        ("cpu", 4, True, "cpu"),
        ("cuda", 1, True, "cuda:0"),
        ("cuda:3", 4, True, "cuda:3"),
        ("auto", 2, True, "cuda:0"),
        ("auto", 0, True, "cpu"),
        ("auto", 2, False, "cpu"),
    ],
)
def test_a_device_is_the_one_that_was_asked_for(text: str, gpus: int, cuda: bool, device: str) -> None:
    assert asked(text, gpus, cuda=cuda) == device


@pytest.mark.parametrize(
    ("text", "gpus", "cuda"), [("cuda", 0, True), ("cuda:1", 1, True), ("cuda:0", 1, False)]
)
def test_a_gpu_that_is_not_there_is_never_another_device(text: str, gpus: int, cuda: bool) -> None:
    with pytest.raises(TrainingError, match="FALSIFY-GPUTRAIN-002") as caught:
        asked(text, gpus, cuda=cuda)
    assert text in caught.value.what
    assert "--device cpu" in caught.value.remedy


@pytest.mark.parametrize("index", range(16))
def test_sixteen_gpus_have_names(index: int) -> None:
    assert asked(f"cuda:{index}", 16) == f"cuda:{index}"


@pytest.mark.parametrize(
    "text", ["", "gpu", "CUDA", "cuda:", "cuda:16", "cuda:01", "cuda:-1", "cpu:0", "cuda:0 "]
)
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="FALSIFY-GPUTRAIN-001"):
        asked(text, 16)


@given(st.text(max_size=8))
def test_no_text_becomes_a_device_that_it_does_not_name(text: str) -> None:
    try:
        device = asked(text, 16)
    except UsageError:
        return
    assert text in {"auto", "cpu", "cuda", device}
