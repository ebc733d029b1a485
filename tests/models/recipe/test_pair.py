# ruff: noqa: E402 - what follows a skip needs what the skip looks for
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the runtime extra is not installed")
pytest.importorskip("tokenizers", reason="the runtime extra is not installed")
gguf = pytest.importorskip("gguf", reason="the formats extra is not installed")

from pv_runtime.formats import open_checkpoint

from models.recipe.pair import QUANTISED, SOURCE, TWIN, tokenizer_metadata, write_pair

MODELS = Path(__file__).parents[3] / "models"


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models")
    (out / SOURCE).symlink_to(MODELS / SOURCE)
    write_pair(out)
    return out


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_shipped_quantised_file_is_rebuilt_byte_for_byte(rebuilt: Path) -> None:
    assert digest(rebuilt / QUANTISED / "model.gguf") == digest(MODELS / QUANTISED / "model.gguf")


def test_the_shipped_twin_is_rebuilt_value_for_value(rebuilt: Path) -> None:
    # Not byte for byte: the twin names the version of the gguf package, which may differ here.
    one, other = (open_checkpoint(str(at / TWIN / "model.safetensors")) for at in (rebuilt, MODELS))
    assert one.names() == other.names()
    assert all(np.array_equal(one.raw(name), other.raw(name)) for name in one.names())


def test_the_derivation_is_on_record() -> None:
    quantised = MODELS / QUANTISED / "model.gguf"
    assert open_checkpoint(str(quantised)).metadata["pv.derived_from.sha256"] == digest(
        MODELS / SOURCE / "model.safetensors"
    )
    header = (MODELS / TWIN / "model.safetensors").read_bytes()
    length = int.from_bytes(header[:8], "little")
    recorded = json.loads(header[8 : 8 + length])["__metadata__"]
    assert recorded["derived_from.sha256"] == digest(quantised)
    assert recorded["decoder"].startswith("gguf ")


def test_every_matrix_is_q4_k_and_everything_else_f32() -> None:
    tensors = gguf.GGUFReader(MODELS / QUANTISED / "model.gguf").tensors
    kinds = {(len(tensor.shape), tensor.tensor_type.name) for tensor in tensors}
    assert kinds == {(2, "Q4_K"), (1, "F32")}
    assert sum(len(tensor.shape) == 2 for tensor in tensors) == 1 + 7 * 5


def test_the_tokenizer_travels_with_the_file() -> None:
    fields = gguf.GGUFReader(MODELS / QUANTISED / "model.gguf").fields
    written = {name: fields[name].contents() for name in fields if name.startswith("tokenizer.")}
    assert written == tokenizer_metadata(MODELS / SOURCE)
    assert len(written["tokenizer.ggml.tokens"]) == 4096
    assert written["tokenizer.ggml.tokens"][written["tokenizer.ggml.eos_token_id"]] == "<|endoftext|>"
