"""The shipped pair: a Q4_K file of ``tiny-qwen2``, and the fp16 twin that another decoder makes of it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from pv_runtime.build import quantised_gguf, twin
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.gguf_writer import write_gguf

from .export import sha256

SOURCE = "tiny-qwen2"
QUANTISED = "tiny-qwen2-q4_k"
TWIN = "tiny-qwen2-q4_k-twin"

# gguf's token types: 1 is an ordinary token, 3 a control token.
_NORMAL, _CONTROL = 1, 3


def write_pair(out: Path) -> None:
    """Write ``model.gguf`` and its twin beside the source in `out`; the same bytes every time."""
    quantised, decoded = out / QUANTISED / "model.gguf", out / TWIN / "model.safetensors"
    for path in (quantised, decoded):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_quantised(out / SOURCE, quantised)
    twin(str(quantised), str(decoded))
    (decoded.parent / "config.json").write_bytes((out / SOURCE / "config.json").read_bytes())
    (quantised.parent / "README.md").write_text(
        _describe_quantised(out / SOURCE, quantised), encoding="utf-8"
    )
    (decoded.parent / "README.md").write_text(_describe_twin(quantised, decoded), encoding="utf-8")


def write_quantised(source: Path, output: Path) -> None:
    """Quantise the model in the folder `source` to Q4_K, with its tokenizer in the metadata."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "model.gguf"
        quantised_gguf(str(source), str(bare), scheme="q4_k")
        checkpoint = open_checkpoint(str(bare))
        metadata = dict(checkpoint.metadata) | tokenizer_metadata(source) | {
            "general.name": source.name,
            "general.description": "Q4_K of every matrix; norms and biases F32",
            "general.license": "MIT",
            "pv.derived_from.path": f"models/{source.name}/model.safetensors",
        }  # fmt: skip
        tensors = [(checkpoint.info(name), _reader(checkpoint, name)) for name in checkpoint.names()]
        write_gguf(str(output), tensors, metadata)


def tokenizer_metadata(folder: Path) -> dict[str, object]:
    """Return ``tokenizer.*`` as llama.cpp reads it, from ``tokenizer.json`` and its settings."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    identifiers: dict[str, int] = dict(tokenizer["model"]["vocab"])
    added = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    identifiers |= added
    tokens = sorted(identifiers, key=identifiers.__getitem__)
    end = identifiers[settings["eos_token"]]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [_CONTROL if token in added else _NORMAL for token in tokens],
        "tokenizer.ggml.merges": [" ".join(merge) for merge in tokenizer["model"]["merges"]],
        "tokenizer.ggml.bos_token_id": end,
        "tokenizer.ggml.eos_token_id": end,
        "tokenizer.ggml.padding_token_id": identifiers[settings["pad_token"]],
        "tokenizer.ggml.add_bos_token": bool(settings["add_bos_token"]),
        "tokenizer.chat_template": settings["chat_template"],
    }


def _reader(checkpoint: Any, name: str) -> Any:
    return lambda: checkpoint.raw(name)


def _describe_quantised(source: Path, quantised: Path) -> str:
    return f"""\
# {QUANTISED}

`{SOURCE}` with every matrix, the embedding included, in Q4_K, and norms and biases in F32. A GGUF file
(version 3) with the tokenizer and chat template in its metadata. Written by this repository's recipe
(`python -m recipe --only pair`), the same bytes every time.

| file | SHA-256 |
|---|---|
| `model.gguf` | `{sha256(quantised)}` |
| made from `../{SOURCE}/model.safetensors` | `{sha256(source / "model.safetensors")}` |

The second digest is on record in the file, as `pv.derived_from.sha256`.
"""


def _describe_twin(quantised: Path, decoded: Path) -> str:
    return f"""\
# {TWIN}

The fp16 twin of `{QUANTISED}`: every tensor of it decoded by the `gguf` package, not by this
repository's decoder, and rounded to F16 under Hugging Face's names. Written by
`python -m recipe --only pair`, the same bytes every time.

| file | SHA-256 |
|---|---|
| `model.safetensors` | `{sha256(decoded)}` |
| made from `../{QUANTISED}/model.gguf` | `{sha256(quantised)}` |

The second digest is on record in the file's `__metadata__`, with the decoder's version.
"""
