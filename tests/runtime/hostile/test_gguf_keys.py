"""Keys of GGUF that are well formed and say what no model has: types, counts and texts of tokens."""

from __future__ import annotations

import io
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pv_runtime import cli
from pv_runtime.config import config_of, expected_tensors
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.vocabulary import gguf_vocabulary

from tests.runtime.hostile.test_gguf_files import (
    ARRAY,
    SECONDS,
    STRING,
    U8,
    U32,
    file,
    key,
    strings,
    tensor,
    text,
)

F32, BOOL, F64 = 6, 7, 12
Endings = dict[str, dict[str, Any]]

COUNTS = {
    "embedding_length": 256, "block_count": 2, "feed_forward_length": 512, "context_length": 512,
    "attention.head_count": 4, "attention.head_count_kv": 2,
}  # fmt: skip


def tokens(*each: bytes) -> bytes:
    return strings(len(each), b"".join(map(text, each)))


def numbers(name: bytes, kind: int, code: str, *values: float) -> bytes:
    return key(
        name,
        ARRAY,
        struct.pack("<IQ", kind, len(values)) + struct.pack(f"<{len(values)}{code}", *values),
    )


def model(changes: dict[str, int]) -> bytes:
    keys = [key(b"general.architecture", STRING, text(b"qwen2"))]
    keys += [
        key(f"qwen2.{name}".encode(), U32, struct.pack("<I", value))
        for name, value in {**COUNTS, **changes}.items()
    ]
    for name, value in (("attention.layer_norm_rms_epsilon", 1e-6), ("rope.freq_base", 1e6)):
        keys.append(key(f"qwen2.{name}".encode(), F32, struct.pack("<f", value)))
    embedding = tensor(b"token_embd.weight", (256, 96), 1)
    return file(keys, [embedding], 256 * 96 * 2)


def test_the_model_that_the_hostile_ones_vary_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(model({}))
    assert config_of(open_checkpoint(tmp_path / "x.gguf"))["num_hidden_layers"] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention.head_count": 0}, "num_attention_heads is 0"),
        ({"attention.head_count_kv": 0}, "num_key_value_heads is 0"),
        ({"attention.head_count_kv": 3}, "no multiple of its 3"),
        ({"embedding_length": 0}, "hidden_size is 0"),
        ({"block_count": 0}, "num_hidden_layers is 0"),
        ({"block_count": 2**32 - 1}, "num_hidden_layers is 4294967295"),
        ({"block_count": 4097}, "num_hidden_layers is 4097"),
        ({"feed_forward_length": 2**31}, "intermediate_size is 2147483648"),
    ],
)
def test_counts_that_no_model_has_are_refused(tmp_path: Path, changes: dict[str, int], message: str) -> None:
    """Before anything is divided by one, or made as often."""
    (tmp_path / "x.gguf").write_bytes(model(changes))
    with pytest.raises(LoadError, match=message):
        config_of(open_checkpoint(tmp_path / "x.gguf"))


def test_the_most_layers_that_are_accepted_cost_little(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(model({"block_count": 4096}))
    began = time.process_time()
    assert len(expected_tensors(config_of(open_checkpoint(tmp_path / "x.gguf")))) > 4096
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize(("kind", "code"), [(U8, "B"), (U32, "I"), (F32, "f"), (F64, "d")])
def test_scores_of_another_type_are_the_numbers_that_they_say(tmp_path: Path, kind: int, code: str) -> None:
    """And never the bytes of the file taken for float32, with what lies behind them."""
    scores = numbers(b"tokenizer.ggml.scores", kind, code, 1, 2)
    (tmp_path / "x").write_bytes(file([tokens(b"a", b"b"), scores]))
    found = gguf_vocabulary(open_checkpoint(tmp_path / "x").metadata, "x")
    assert found is not None
    assert found.scores == (1.0, 2.0)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (numbers(b"tokenizer.ggml.scores", BOOL, "B", 1, 0), "no array of the type"),
        (key(b"tokenizer.ggml.scores", U32, bytes(4)), "no array of the type"),
        (numbers(b"tokenizer.ggml.token_type", F32, "f", 1, 1), "no array of the type"),
        (numbers(b"tokenizer.ggml.scores", F32, "f", 1, float("inf")), "no small numbers"),
    ],
    ids=["scores as truths", "scores as a number", "types as fractions", "an infinite score"],
)
def test_keys_of_another_kind_are_refused(tmp_path: Path, odd: bytes, message: str) -> None:
    (tmp_path / "x").write_bytes(file([tokens(b"a", b"b"), odd]))
    with pytest.raises(LoadError, match=message):
        gguf_vocabulary(open_checkpoint(tmp_path / "x").metadata, "x")


def test_a_token_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(file([tokens(b"a", b"\xff\xfe")]))
    with pytest.raises(LoadError, match=r"an element of tokenizer\.ggml\.tokens is not UTF-8"):
        gguf_vocabulary(open_checkpoint(tmp_path / "x").metadata, "x")


def test_a_token_that_drives_a_terminal_is_shown_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = "\0\x1b[31m\u202e"
    (tmp_path / "x.gguf").write_bytes(file([tokens(b"a", odd.encode())]))
    assert cli.main(["inspect", str(tmp_path / "x.gguf"), "--vocab"]) == 0
    shown = capsys.readouterr().out
    assert "\\u0000\\u001b[31m\\u202e" in shown
    assert not set(odd[:2] + odd[-1]) & set(shown)


def test_a_zip_that_unpacks_to_gigabytes_is_not_unpacked(
    tmp_path: Path, open_in_child: Callable[..., Endings]
) -> None:
    """Refused by its first bytes, in less memory than a part of what it holds."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(128 << 20))
    whole = bytearray(packed.getvalue())
    record = whole.rfind(b"PK\x01\x02")
    whole[record + 24 : record + 28] = b"\xff" * 4  # 4 GiB, it says
    (tmp_path / "x.pt").write_bytes(whole)
    (ending,) = open_in_child([tmp_path / "x.pt"], 96 << 20).values()
    assert "is a zip archive" in ending["ended"]
    assert ending["seconds"] < 1
