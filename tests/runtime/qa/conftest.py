from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """A second thread waits longer for the first than so small a model takes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def models() -> Path:
    return MODELS
