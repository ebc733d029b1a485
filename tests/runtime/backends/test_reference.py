from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pv_runtime.backends import Backend, ReferenceBackend, open_backend
from pv_runtime.errors import LoadError, ModelError
from pv_runtime.formats import open_checkpoint
from pv_runtime.stages import STAGES
from torch import Tensor

MODEL = Path(__file__).resolve().parents[3] / "models" / "tiny-qwen2"


@pytest.fixture(scope="module")
def backend() -> Backend:
    return open_backend("reference", open_checkpoint(MODEL))


def test_it_shows_and_takes_every_stage(backend: Backend) -> None:
    seen: set[str] = set()

    def watch(stage: str, _layer: int | None, values: Tensor) -> Tensor:
        seen.add(stage)
        return values

    tokens = torch.tensor([[1, 2, 3]])
    assert torch.equal(backend.forward(tokens, tap=watch), backend.forward(tokens))
    assert seen == set(STAGES) == backend.shows == backend.takes
    assert backend.name == "reference"
    assert backend.version == torch.__version__


def test_half_precision_and_one_block_at_a_time_are_chosen_when_it_is_opened() -> None:
    model = open_checkpoint(MODEL)
    assert open_backend("reference", model, dtype=torch.bfloat16).forward(torch.tensor([[1, 2]])).dtype == (
        torch.bfloat16
    )
    streamed = ReferenceBackend.open(model, streamed=True)
    whole = ReferenceBackend.open(model)
    tokens = torch.tensor([[5, 6, 7]])
    assert torch.equal(streamed.forward(tokens), whole.forward(tokens))


def test_an_unknown_back_end_is_refused_and_the_known_are_listed() -> None:
    with pytest.raises(
        ModelError, match=r"no back-end 'jax'; there are reference, triton, transformers, llama\.cpp"
    ):
        open_backend("jax", open_checkpoint(MODEL))


def test_tokens_are_checked(backend: Backend) -> None:
    with pytest.raises(ModelError, match="out of range"):
        backend.forward(torch.tensor([[4096]]))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    with pytest.raises(LoadError, match="does not say which architecture"):
        open_backend("reference", open_checkpoint(tmp_path))
