"""tokenizer.json and tokenizer_config.json, in every way in which the commands read them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from pv_runtime.errors import LoadError, ModelError
from pv_runtime.formats import open_checkpoint
from pv_runtime.tokenizer import tokenizer_in
from pv_runtime.tokenizer_beside import tokenizer_beside
from pv_runtime.tokenizer_files import SPLITS, files_of, folder_vocabulary

from benchmarks.fuzz.json_damage import WORDS, damage_json, json_text
from benchmarks.fuzz.target import Target

__all__ = ["TOKENIZER"]

_BETWEEN = b"\n=== tokenizer_config.json ===\n"
_TEXTS = ("", "ab ab", "a\u0301<|end|>b", "\U0001f600\n")
_MODEL = b"\x02\0\0\0\0\0\0\0{}"


def _level(*, regex: bool = False) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": regex}


def _whole() -> dict[str, Any]:
    split = {"type": "Split", "pattern": {"Regex": SPLITS["qwen2"]}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": 3, "content": "<|end|>", "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True}
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, _level()]},
        "post_processor": _level(), "decoder": _level(regex=True),
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": {"a": 0, "b": 1,
            "ab": 2}, "merges": [["a", "b"]],
        },
    }  # fmt: skip


def _pieces() -> dict[str, Any]:
    whole = _whole()
    whole["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}]}
    whole["pre_tokenizer"] = None
    whole["post_processor"] = None
    whole["decoder"] = {
        "type": "Sequence",
        "decoders": [
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    }
    whole["model"] |= {
        "byte_fallback": True,
        "unk_token": "a",
        "vocab": {"a": 0, "b": 1, "ab": 2, "<0x41>": 4, "<0x-1>": 5},
    }
    return whole


_CONFIG = {
    "eos_token": {"content": "<|end|>"},
    "pad_token": "<|end|>",
    "add_bos_token": False,
    "chat_template": [{"name": "default", "template": "x"}],
}


def seeds() -> list[bytes]:
    """Return a byte-level tokenizer, one of pieces, and one without a configuration."""
    config = json.dumps(_CONFIG).encode()
    return [
        *(json.dumps(each()).encode() + _BETWEEN + config for each in (_whole, _pieces)),
        json.dumps(_whole()).encode(),
    ]


def made(random: Random) -> bytes:
    """Damage the values of one of the two files."""
    whole = _whole() if random.random() < 0.6 else _pieces()
    kind = random.random()
    if kind < 0.15:
        return json.dumps(whole).encode() + _BETWEEN + json_text(damage_json(_CONFIG, random), random)
    if kind < 0.5:
        part = random.choice(("model", "added_tokens", "decoder", "pre_tokenizer"))
        whole[part] = damage_json(whole[part], random)
    else:
        whole = damage_json(whole, random)
    return json_text(whole, random) + _BETWEEN + json.dumps(_CONFIG).encode()


def read(data: bytes, folder: Path) -> None:
    """Encode and decode with it; translate it for GGUF; say what it is."""
    whole, _, config = data.partition(_BETWEEN)
    (folder / "tokenizer.json").write_bytes(whole)
    (folder / "tokenizer_config.json").write_bytes(config or b"{}")
    weights = folder / "model.safetensors"
    if not weights.exists():
        weights.write_bytes(_MODEL)
    beside = tokenizer_beside(open_checkpoint(weights))
    if beside is None or (beside.said is None) == (beside.trouble is None):
        raise AssertionError("neither said what it is nor why not")
    try:
        vocabulary = folder_vocabulary(folder, 8)
    except LoadError as error:
        if not str(error):
            raise AssertionError("an error without a message") from error
    else:
        if vocabulary is not None:
            files_of(vocabulary, str(folder))
    tokenizer = tokenizer_in(folder)
    for text in _TEXTS:
        tokenizer.decode(tokenizer.encode(text))


TOKENIZER = Target(
    seeds,
    made,
    read,
    (LoadError, ModelError),
    words=(*WORDS, b'"BPE"', b'"Unigram"', b'"WordPiece"', b'"<0x-1>"', b'"Metaspace"'),
)
