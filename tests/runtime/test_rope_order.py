from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.rope_order import INTERLEAVED, SEPARATE, heads_of, rope_order

TENSOR = from_values("w", (2,), lambda: np.zeros(2, np.float32), "F32")
WRITERS = {"apr": write_apr, "gguf": write_gguf, "safetensors": write_safetensors}


def model(form: str, metadata: dict[str, object], path: Path) -> Checkpoint:
    WRITERS[form](str(path), [(TENSOR.info, TENSOR.raw)], metadata)  # type: ignore[operator]
    return open_checkpoint(path)


@pytest.mark.parametrize(
    ("form", "metadata", "order"),
    [
        ("safetensors", {}, SEPARATE),
        ("gguf", {"general.architecture": "llama"}, INTERLEAVED),
        ("gguf", {"general.architecture": "qwen2"}, SEPARATE),
        ("gguf", {"general.architecture": "of tomorrow"}, None),
        ("gguf", {}, None),
        ("apr", {"architecture": "llama", "rope_type": 0}, INTERLEAVED),
        ("apr", {"architecture": "LlamaForCausalLM", "rope_type": 2}, SEPARATE),
        ("apr", {"architecture": "llama"}, None),
        ("apr", {"architecture": "llama", "rope_type": [0]}, None),
        ("apr", {"architecture": "qwen2", "rope_type": 2}, SEPARATE),
        ("apr", {}, None),
    ],
)
def test_the_order_is_what_the_format_has_for_the_architecture(
    form: str, metadata: dict[str, object], order: str | None, tmp_path: Path
) -> None:
    assert rope_order(model(form, metadata, tmp_path / "x")) == order


@pytest.mark.parametrize(
    ("form", "metadata", "heads"),
    [
        ("gguf", {"general.architecture": "a", "a.attention.head_count": 8}, (8, 8)),
        (
            "gguf",
            {"general.architecture": "a", "a.attention.head_count": 8, "a.attention.head_count_kv": 2},
            (8, 2),
        ),
        ("gguf", {"general.architecture": "a", "a.attention.head_count": [8, 4]}, None),
        ("gguf", {"general.architecture": "a", "a.attention.head_count": 0}, None),
        ("gguf", {}, None),
        ("apr", {"num_heads": 4, "n_kv_heads": 2}, (4, 2)),
        ("apr", {"num_heads": True}, None),
        ("safetensors", {"config": json.dumps({"num_attention_heads": 6})}, (6, 6)),
        ("safetensors", {"config": "[1"}, None),
        ("safetensors", {"config": "[1]"}, None),
        ("safetensors", {}, None),
    ],
)
def test_heads_are_those_stated(
    form: str, metadata: dict[str, object], heads: tuple[int, int] | None, tmp_path: Path
) -> None:
    assert heads_of(model(form, metadata, tmp_path / "x")) == heads
