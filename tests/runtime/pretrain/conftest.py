"""A model that takes milliseconds, and text that the shipped tokenizer encodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pv_runtime.architecture import Architecture
from pv_runtime.pretrain.request import Request
from pv_runtime.random_model import RandomModel

MODELS = Path(__file__).resolve().parents[3] / "models"
TOKENIZER = MODELS / "tiny-qwen2"
SHAPE = Architecture(
    family="qwen2",
    hidden_size=16,
    intermediate_size=24,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=4,
    vocab_size=4096,
    max_positions=64,
    rope_theta=1e4,
    rms_norm_eps=1e-6,
    qkv_bias=True,
    tied=True,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def init(tmp_path: Path) -> Path:
    """A random model of `SHAPE` in its own folder."""
    folder = tmp_path / "init"
    folder.mkdir()
    RandomModel(SHAPE, seed=5).save(folder)
    return folder


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Three shards of random ids, which have nothing in common."""
    folder = tmp_path / "shards"
    folder.mkdir()
    generator = np.random.default_rng(7)
    for number in range(3):
        ids = generator.integers(4096, size=500, dtype=np.uint32)
        (folder / f"shard-{number}.bin").write_bytes(ids.astype("<u4").tobytes())
    return folder


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
