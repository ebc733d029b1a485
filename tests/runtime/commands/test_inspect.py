from __future__ import annotations

import json
import math
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
from pv_runtime import build, cli
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors

MODELS = Path(__file__).resolve().parents[3] / "models"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "apr-json.md"


def documented() -> dict[str, list[str]]:
    """The first column of each table of the page, by the heading above it."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if match := re.match(r"\| `(\w+)` \|", line):
            found.setdefault(heading, []).append(match[1])
    return found


def tokenized(path: Path) -> Path:
    """A GGUF with a tokenizer, a tensor that is not decoded, and one of a name of its own."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([f"t{number}" for number in range(20)])
    writer.add_token_merges(["a b", "c d"])
    writer.add_eos_token_id(3)
    writer.add_chat_template("{{ messages }}")
    writer.add_tensor("token_embd.weight", np.array([[1, 0, -3, np.nan]], np.float32))
    writer.add_tensor("output.weight", np.full((1, 4), np.inf, np.float32))
    writer.add_tensor("own", np.zeros((1, 292), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_page_lists_the_keys_and_no_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        cli.main(["inspect", str(tokenized(tmp_path / "x")), "--json", "--vocab", "--weights", "--verify"])
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert documented() == {
        "The report": list(report),
        "A tensor": list(report["tensors"][0]),
        "Its values": list(report["tensors"][0]["values"]),
        "The tokenizer": list(report["tokenizer"]),
        "What is not understood": list(report["not_understood"][0]),
    }


def test_all_that_can_be_said_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tokenized(tmp_path / "x"))
    assert cli.main(["inspect", path, "--json", "--vocab", "--weights", "--verify"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["version"], report["tied_embeddings"]) == ("3", False)
    assert report["vocabulary"] == [f"t{number}" for number in range(20)]
    assert report["tokenizer"] == {
        "model": "gpt2", "pre": "qwen2", "tokens": 20, "merges": 2, "bos_token_id": None,
        "eos_token_id": 3, "padding_token_id": None, "unknown_token_id": None, "add_bos_token": None,
        "chat_template": True,
    }  # fmt: skip
    assert report["not_understood"] == [
        {"kind": "dtype", "what": "Q8_K", "tensors": 1, "first": "own"},
        {"kind": "name", "what": None, "tensors": 1, "first": "own"},
    ]
    embedding, head, own = (tensor["values"] for tensor in report["tensors"])
    assert embedding == {
        "minimum": -3, "maximum": 1, "mean": pytest.approx(-2 / 3), "std": pytest.approx((26 / 9) ** 0.5),
        "zeros": 1, "nan": 1, "infinite": 0,
    }  # fmt: skip
    assert (head["mean"], head["infinite"], own) == (None, 4, None)
    assert report["provenance"] == {"license": None, "data_source": None, "data_license": None}
    assert cli.main(["inspect", path, "--vocab", "--weights"]) == 0
    out = capsys.readouterr().out
    for expected in (
        "version       3",
        "head          a tensor of its own",
        "provenance\n  license       (missing)\n  data_source   (missing)\n  data_license  (missing)\n",
        "tokenizer     gpt2 qwen2, 20 tokens, 2 merges",
        "not decoded   1 of dtype Q8_K, compared as bytes, first own",
        "other names   1 that the formats share no name for, first own",
        "-3 to 1, mean -0.6667, std 1.7, 1 zeros, 1 nan",
        "no finite value, 4 infinite",
        '     19  "t19"',
    ):
        assert expected in out


def test_a_filter_lists_some_and_counts_all(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(model_folder), "--json", "--filter", "layers.1.mlp"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["tensor_count"], len(report["tensors"])) == (26, 3)
    assert cli.main(["inspect", str(model_folder), "--json", "--filter", "layers.9."]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: no tensor's name contains 'layers.9.'\n")


def test_a_model_in_several_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        tensor = from_values(f"t{number}", (2,), lambda: np.zeros(2, np.float32), "F32")
        write_safetensors(str(tmp_path / f"{number}.safetensors"), [(tensor.info, tensor.raw)])
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"t1": "1.safetensors", "t2": "2.safetensors"}}')
    assert cli.main(["inspect", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["files"] == [str(index), *(str(tmp_path / f"{number}.safetensors") for number in (1, 2))]
    assert report["path"] == str(index)
    assert cli.main(["inspect", str(tmp_path)]) == 0
    assert "files         3" in capsys.readouterr().out


def test_opening_decodes_no_token_and_imports_nothing_heavy(tmp_path: Path) -> None:
    """The ninth token is not UTF-8: whoever decoded all of them would stumble over it."""
    tokens = b"".join(struct.pack("<Q", 1) + each for each in (*[b"t"] * 8, b"\xff"))
    name = b"tokenizer.ggml.tokens"
    data = struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, len(name)) + name + struct.pack("<IIQ", 9, 8, 9) + tokens
    (tmp_path / "x").write_bytes(data)
    code = (
        "import sys; from pv_runtime import cli\n"
        f"assert cli.main(['inspect', {str(tmp_path / 'x')!r}]) == 0\n"
        "heavy = {'torch', 'triton', 'gguf', 'safetensors', 'numba', 'rich', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert b'"length": 9' in done.stdout
    assert cli.main(["inspect", str(tmp_path / "x"), "--vocab"]) == 1


def test_json_says_what_the_header_says(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(model_folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["format"], report["version"], report["architecture"]) == ("safetensors", None, "qwen2")
    assert report["files"] == [report["path"]]
    assert report["tensor_count"] == len(report["tensors"]) == 26
    assert report["total_params"] * 2 == report["tensor_bytes"]
    assert report["dtypes"] == {
        "F16": {"tensors": 26, "params": report["total_params"], "bytes": report["tensor_bytes"]}
    }
    assert (report["tied_embeddings"], report["tokenizer"]) == (True, None)
    assert (report["notes"], report["not_understood"]) == ([], [])
    assert report["metadata"]["config"]["hidden_size"] == 256
    first = report["tensors"][0]
    assert first == {"name": "model.embed_tokens.weight", "dtype": "F16", "shape": [96, 256], "bytes": 49152}


def test_text_has_a_line_a_tensor(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.quantised_gguf(str(model_folder), str(tmp_path / "q.gguf"), scheme="q4_k")
    assert cli.main(["inspect", str(tmp_path / "q.gguf")]) == 0
    out = capsys.readouterr().out
    assert "26 (11 F32, 15 Q4_K)" in out
    assert "architecture  qwen2" in out
    assert sum(line.startswith("  model.") for line in out.splitlines()) == 26


def test_what_json_or_a_terminal_cannot_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "x.gguf")
    tensor = from_values("\x1b[31mred", (2,), lambda: np.zeros(2, np.float32), "F32")
    metadata = {"nan": math.nan, "long": list(range(100)), "short": ["a"], "\x1b[2J": "\x07"}
    write_gguf(path, [(tensor.info, tensor.raw)], metadata)
    assert cli.main(["inspect", path, "--format", "json"]) == 0
    out = capsys.readouterr().out
    report = json.loads(out)
    assert report["metadata"]["nan"] == "nan"
    assert report["metadata"]["long"] == {"length": 100, "first": [0, 1, 2, 3, 4, 5, 6, 7]}
    assert report["metadata"]["short"] == ["a"]
    assert report["architecture"] is None
    assert cli.main(["inspect", path]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in out + text
    assert "\x07" not in out + text
    assert r"\x1b[31mred" in text


def test_the_checksum_is_compared_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.apr"
    assert cli.main(["export", str(MODELS / "tiny-qwen2"), "--format", "apr", "-o", str(path)]) == 0
    raw = path.read_bytes()
    found = {}
    for name, content in {
        "whole": raw, "damaged": raw[:-900] + bytes([raw[-900] ^ 1]) + raw[-899:], "bare": raw[:-4]
    }.items():  # fmt: skip
        path.write_bytes(content)
        capsys.readouterr()
        assert cli.main(["inspect", str(path), "--json"]) == 0  # opening reads the header alone
        assert "footer_checksum_valid" not in json.loads(capsys.readouterr().out)
        code = cli.main(["inspect", str(path), "--json", "--verify"])
        captured = capsys.readouterr()
        found[name] = (
            code,
            json.loads(captured.out)["footer_checksum_valid"],
            "fetch it again" in captured.err,
        )
    assert found == {"whole": (0, True, False), "damaged": (1, False, True), "bare": (0, None, False)}
    assert cli.main(["inspect", str(path), "--verify"]) == 0
    assert "checksum      the file has none" in capsys.readouterr().out
    assert cli.main(["inspect", str(MODELS / "tiny-qwen2-q4_k"), "--json", "--verify"]) == 0
    assert json.loads(capsys.readouterr().out)["footer_checksum_valid"] is None


def test_the_tokenizer_beside_a_safetensors_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (MODELS / "tiny-qwen2", MODELS / "tiny-qwen2/model.safetensors"):
        assert cli.main(["inspect", str(path), "--json", "--vocab"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["tokenizer_file"] == str(MODELS / "tiny-qwen2/tokenizer.json")
        assert (report["tokenizer"]["model"], report["tokenizer"]["pre"]) == ("BPE", "qwen2")
        assert report["tokenizer"]["tokens"] == len(report["vocabulary"]) == 4096
    assert cli.main(["inspect", str(MODELS / "tiny-qwen2")]) == 0
    assert f"tokens, {report['tokenizer']['merges']:,} merges, in {MODELS}" in capsys.readouterr().out
    (tmp_path / "model.safetensors").write_bytes((MODELS / "tiny-qwen2/model.safetensors").read_bytes())
    (tmp_path / "tokenizer.json").write_text("{oops")
    assert cli.main(["inspect", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["tokenizer"] is None
    assert "tokenizer.json: cannot be read" in report["notes"][0]
