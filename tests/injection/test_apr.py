"""Commands of apr over files whose names, keys, tensors and tokens are hostile texts."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pv_runtime import cli
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors

from tests.injection.payload import MARK, NAME, PAYLOAD, unsafe, unsafe_json

pytestmark = pytest.mark.injection
TEXTS = {"characters": PAYLOAD, "commands": f"::error::{MARK} ##[error]{MARK}"}
MODEL = Path(__file__).parents[2] / "models" / "tiny-qwen2"
_BASE = NAME.replace("/", "")


def plant(root: Path, text: str) -> list[str]:
    """Write a file of each format, and broken ones; return their paths."""
    names = sorted([text[:14], "model.norm.weight", f"blk.0.{text[:14]}"])
    made = [from_values(name, (2, 32), lambda: np.ones((2, 32), np.float32), "F32") for name in names]
    tensors = [(each.info, each.raw) for each in made]
    tokens = [text, "a", "b", text + "x"]
    gguf, apr, folder = root / f"{_BASE}.gguf", root / f"{_BASE}.apr", root / "folder"
    write_gguf(
        str(gguf),
        tensors,
        {
            "general.architecture": text, "general.license": text, f"k{text}": text,
            "tokenizer.ggml.model": text,
            "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": [text], "tokenizer.chat_template": text,
        },
    )  # fmt: skip
    metadata = {"architecture": text, "license": text, f"k{text}": text, "tokenizer.vocabulary": tokens}
    write_apr(str(apr), tensors, metadata)
    folder.mkdir()
    write_safetensors(str(folder / "model.safetensors"), tensors, {"format": text, f"k{text}": text})
    tokenizer = {"model": {"type": text, "vocab": dict.fromkeys(tokens, 0)}, "pre_tokenizer": {"type": text}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "config.json").write_text(json.dumps({"model_type": text, "architectures": [text]}))
    (root / "index").mkdir()
    (root / "index" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {text: text}}))
    (root / "cut.gguf").write_bytes(gguf.read_bytes()[:400])
    (root / "trace").mkdir()
    (root / "trace" / "trace.json").write_text(json.dumps({"tokens": [1], "dtype": text, "model": text}))
    others = (root / "index", root / "cut.gguf", root / "trace", root / _BASE)
    return [str(path) for path in (gguf, apr, folder, *others)]


def commands(root: Path, paths: Sequence[str], text: str) -> list[list[str]]:
    said, out = text.replace("\0", ""), str(root / f"out{_BASE}.gguf")
    found = [["qa", paths[0], "--gates", said], ["inspect", paths[0], "--filter", said], [f"-{said}"], [said]]
    found += [["tokenize", "--tokenizer", paths[0], "-o", out, paths[1]], ["run", paths[0], "--prompt", said]]
    found += [["trace", paths[0]], ["diff", paths[0], paths[1], "--json", "--values"]]
    for path in paths:
        found += [["inspect", path, "--vocab", "--weights"], ["inspect", path, "--vocab", "--json"]]
        found += [["diff", path, paths[0], "--values"], ["stamp", path, "-o", out, "--license", said]]
        found += [
            ["export", path, "--format", "gguf", "-o", out],
            ["convert", path, "--quantize", "q8_0", "-o", out],
        ]
    return found


def plant_working(root: Path, text: str) -> Path:
    """Make a model that computes, and says `text` wherever that hinders nothing."""
    folder = root / f"works{_BASE}"
    shutil.copytree(MODEL, folder)
    model = open_checkpoint(MODEL)
    tensors = [(model.info(name), functools.partial(model.raw, name)) for name in model.names()]
    write_safetensors(str(folder / "model.safetensors"), tensors, {"format": text, f"k{text}": text})
    for name in ("config.json", "tokenizer_config.json"):
        said = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**said, f"k{text}": text, "license": text}))
    problem = {
        "task_id": text, "prompt": f"def f():\n    return {text!r}\n#", "entry_point": "f",
        "canonical_solution": " x",
        "test": f"print({text!r})\ndef check(candidate):\n    raise OSError({text!r})",
    }  # fmt: skip
    (root / "problems.jsonl").write_text(json.dumps(problem))
    (root / "twice.jsonl").write_text(f"{json.dumps(problem)}\n" * 2)
    (root / "answers.jsonl").write_text(json.dumps({"task_id": text, "completion": f"\n{text}"}))
    (root / "strange.jsonl").write_text(json.dumps({"task_id": text + "?", "completion": ""}))
    (root / f"{_BASE}.txt").write_text("".join(f"{text} to be learnt {number} " for number in range(200)))
    shutil.copy(MODEL.parent / "heldout.txt", root / f"held{_BASE}.txt")
    return folder


def working_commands(root: Path, model: Path, paths: Sequence[str], text: str) -> list[list[str]]:
    """Commands that compute: with the model, with files that are refused, and with words that are."""
    said, one = text.replace("\0", ""), ["--threads", "1"]
    small = ["--prompt-tokens", "4", "--new-tokens", "2", "--iterations", "2", *one]
    problems, learnt = ["--benchmark", str(root / "problems.jsonl")], str(root / f"{_BASE}.txt")
    steps = ["--num-steps", "1", "--batch-size", "1", "--seq-length", "8", "--val-windows", "1", *one]
    learn = ["pretrain", "--device", "cpu", "--dataset", learnt, "--tokenizer", str(model), *steps]
    learn += ["--val-shard", str(root / f"held{_BASE}.txt"), "--run-dir"]
    return [
        ["bench", str(model), *small], ["bench", str(model), *small, "--json"], ["bench", paths[0], *small],
        ["bench", str(model), "--dtype", said],
        ["bisect", str(model), str(model), "--payload", said, *one, "--json"],
        ["bisect", str(model), paths[0]], ["bisect", paths[-2], str(model)],
        ["bisect", str(model), str(model), "--token-ids", said],
        ["eval", str(model), *problems, "--max-new-tokens", "2", *one],
        ["eval", "--completions", str(root / "answers.jsonl"), *problems, "--json"],
        ["eval", "--completions", str(root / "strange.jsonl"), *problems],
        ["eval", "--benchmark", str(root / "twice.jsonl")], ["eval", "--benchmark", paths[-1]],
        ["eval", paths[0], *problems],
        [*learn, str(root / f"run{_BASE}"), "--init", str(model)],
        [*learn, str(root / f"again{_BASE}"), "--init", str(model), "--json"],
        [*learn, str(root / "never"), "--init", paths[0]], [*learn, str(root / "never"), "--init", said],
        ["pretrain", "--run-dir", paths[-1], "--resume"],
        ["run", str(model), "--prompt", "a", "--max-tokens", said],
        ["trace", str(model), "--payload", said, *one],
        ["qa", str(model), "--gates", "tensor_contract", "--allow-declined", "--json"],
    ]  # fmt: skip


def judge(commands: Sequence[Sequence[str]]) -> list[subprocess.CompletedProcess[bytes]]:
    """Run the commands, and look at all that they print."""

    def one(words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "pv_runtime.cli", *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )

    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(one, commands))
    for words, ended in zip(commands, ran, strict=True):
        look = unsafe_json if "--json" in words and ended.stdout else unsafe
        assert look(ended.stdout) == [], ascii(words)
        assert unsafe(ended.stderr) == [], ascii(words)
        assert b"fault in apr" not in ended.stderr, (ascii(words), ended.stderr[-500:])
    return ran


def test_every_command_is_here(tmp_path: Path) -> None:
    names = set(re.findall(r"^    ([a-z]+)\s", cli.parser().format_help(), re.MULTILINE))
    here = [*commands(tmp_path, ["x"] * 7, "x"), *working_commands(tmp_path, tmp_path, ["x"] * 7, "x")]
    assert {words[0] for words in here} >= names
    assert len(names) > 12


@pytest.mark.parametrize("kind", TEXTS)
def test_no_output_is_driven_by_what_a_file_says(kind: str, tmp_path: Path) -> None:
    ran = judge(commands(tmp_path, plant(tmp_path, TEXTS[kind]), TEXTS[kind]))
    assert sum(MARK.encode() in each.stdout + each.stderr for each in ran) > len(ran) // 2


@pytest.mark.parametrize("kind", TEXTS)
def test_no_output_is_driven_by_what_a_working_model_says(kind: str, tmp_path: Path) -> None:
    paths, model = plant(tmp_path, TEXTS[kind]), plant_working(tmp_path, TEXTS[kind])
    lines = working_commands(tmp_path, model, paths, TEXTS[kind])
    ran = judge(lines)
    worked = {words[0] for words, ended in zip(lines, ran, strict=True) if ended.returncode == 0}
    said = [
        (ascii(line)[-80:], each.returncode, each.stderr[-300:])
        for line, each in zip(lines, ran, strict=True)
    ]
    assert worked >= {"bench", "bisect", "eval", "pretrain", "trace", "qa"}, said
    assert sum(MARK.encode() in each.stdout + each.stderr for each in ran) > len(ran) // 2
