from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.pv.conftest import Project

CONFIG: Mapping[str, Any] = {
    "vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
WEIGHTS = 1_000_000
MACHINE = """
name = "bench"
bandwidth = "1 GB/s"
cache = "10 kB"
source = "measured with a copy of 1 GiB"
[peaks]
fp32 = "100 GFLOP/s"
"""


def claim(rate: str, *, unit: str = "tokens/s", metric: str = "decoded", **more: Any) -> dict[str, Any]:
    """Return a falsifier of a rate that a program prints."""
    return {
        "id": "FALSIFY-SPEED-001",
        "rule": "It decodes quickly",
        "prediction": "no slower than it was",
        "if_fails": "it got slower",
        "command": ["python", "-c", f"print({rate})", "{model}"],
        "subjects": {"live": {"model": "model"}},
        "metrics": [{"name": metric, "pointer": "", "unit": unit, "low": 0}],
        "expect": [f"min({metric}) >= 100"],
        "counter_examples": {"slow": {"arguments": ["-c", "print(1)"]}},
        **more,
    }


@pytest.fixture
def bench(project: Project) -> Project:
    """A project with a model of a megabyte, and a slow machine."""
    folder = project.root / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(WEIGHTS))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    with (project.root / "pv.toml").open("a") as file:
        file.write('\n[subjects.model]\npath = "model"\nfiles = ["model.safetensors", "config.json"]\n')
    (project.root / "bench.toml").write_text(MACHINE)
    return project
