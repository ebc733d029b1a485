"""A model that takes milliseconds, and text that the shipped tokenizer encodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime.checks.trainer import random_init, random_shards
from pv_runtime.pretrain.request import Request

MODELS = Path(__file__).resolve().parents[3] / "models"
TOKENIZER = MODELS / "tiny-qwen2"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def init(tmp_path: Path) -> Path:
    """A random model of `SMALL` in its own folder."""
    return random_init(tmp_path / "init")


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Three shards of random ids, which have nothing in common."""
    return random_shards(tmp_path / "shards")


@pytest.fixture
def request_of(tmp_path: Path, init: Path, shards: Path) -> Callable[..., Request]:
    """Ask for a run of four steps; what is named replaces what is said here."""

    def make(**changes: Any) -> Request:
        settings = {"num_steps": 4, "batch_size": 2, "seq_length": 16, "lr": 1e-3, "save_every": 2}
        words = {
            "run_dir": str(tmp_path / "run"),
            "init": str(init),
            "dataset": str(shards),
            "tokenizer": str(TOKENIZER),
            "device": "cpu",
            "threads": 1,
            **{name: value for name, value in changes.items() if name != "settings"},
        }
        return Request(settings={**settings, **changes.get("settings", {})}, **words)

    return make
