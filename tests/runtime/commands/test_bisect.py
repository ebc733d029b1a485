from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pv_runtime import cli
from pv_runtime.defects.loading import changed
from pv_runtime.export import export
from pv_runtime.formats import open_checkpoint

ROOT = Path(__file__).parents[3]
MODEL = str(ROOT / "models/tiny-qwen2-7to1")
OTHER = str(ROOT / "models/tiny-qwen2")
TOKENS = ["--token-ids", "453,286,1588,1930,7,9,11,500"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def bisected(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = cli.main(["bisect", *arguments, "--threads", "1", "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The shipped model with the bias of one block doubled, as a file."""
    name = "model.layers.3.self_attn.q_proj.bias"
    model = changed(open_checkpoint(MODEL), name, lambda bias: bias * np.float32(2))
    folder = tmp_path_factory.mktemp("damaged")
    export(model, str(folder / "model.gguf"), "gguf", with_tokenizer=False)
    return str(folder / "model.gguf")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("trace") / "kept"
    arguments = ["--save-tensor", "all", "--save-dir", str(folder), "--save-as", "safetensors", "--json"]
    assert cli.main(["trace", MODEL, *TOKENS, *arguments]) == 0
    return str(folder)


def test_the_same_model_agrees_and_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = bisected(capsys, MODEL, MODEL)
    assert (code, report["agree"], report["first"], report["culprits"]) == (0, True, None, [])
    assert len(report["tokens"]) > 30  # the prompt of its own
    assert report["stages_compared"] == len(report["stages"]) == 3 + 15 * 6


def test_a_damaged_file_ends_with_1_and_is_named(capsys: pytest.CaptureFixture[str], damaged: str) -> None:
    code, report = bisected(capsys, MODEL, damaged, *TOKENS)
    assert code == 1
    first = report["first"]
    assert (first["stage"], first["layer"], first["part"]) == ("qkv_bias", 3, "q")
    assert first["explanation"]["signature"] == "doubled bias"
    assert first["explanation"]["settled"]
    assert report["culprits"] == [first]
    assert report["passes"] == [[0, 5], [5, 7], [7, 8]]


def test_text_says_what_where_and_what_settles_it(capsys: pytest.CaptureFixture[str], damaged: str) -> None:
    assert cli.main(["bisect", MODEL, damaged, *TOKENS]) == 1
    text = capsys.readouterr().out
    assert "qkv_bias (q) of layer 3 first goes wrong" in text
    assert "it looks like: doubled bias" in text
    assert "adding the bias twice restores agreement to" in text
    assert len(text.splitlines()) < 15
    assert cli.main(["bisect", MODEL, damaged, *TOKENS, "--stages"]) == 1
    assert len(capsys.readouterr().out.splitlines()) > 90


def test_a_trace_on_either_side(capsys: pytest.CaptureFixture[str], trace: str, damaged: str) -> None:
    assert bisected(capsys, MODEL, trace)[0] == 0
    assert bisected(capsys, trace, MODEL)[0] == 0
    code, report = bisected(capsys, trace, damaged)
    assert (code, report["first"]["stage"], report["first"]["layer"]) == (1, "qkv_bias", 3)


@pytest.mark.parametrize(
    ("left", "right", "option", "words"),
    [
        ("trace", "model", "--reference-backend", ["reference"]),
        ("trace", "model", "--reference-dtype", ["float32"]),
        ("model", "trace", "--candidate-device", ["cpu"]),
        ("model", "trace", "--decode", ["3"]),
        ("model", "trace", "--tokenizer", [MODEL]),
        ("model", "model", "--tokenizer", [MODEL, *TOKENS]),
        ("model", "model", "--decode", ["3", *TOKENS, "--candidate-backend", "transformers"]),
    ],
)
def test_an_option_that_nothing_would_use_is_refused(
    capsys: pytest.CaptureFixture[str], trace: str, left: str, right: str, option: str, words: list[str]
) -> None:
    sides = {"trace": trace, "model": MODEL}
    capsys.readouterr()
    assert cli.main(["bisect", sides[left], sides[right], option, *words]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.startswith(f"error: {option} ")) == ("", True), said.err


def test_json_is_alone_on_standard_output_and_its_keys_are_documented(
    capsys: pytest.CaptureFixture[str], damaged: str
) -> None:
    _, report = bisected(capsys, MODEL, damaged, *TOKENS)
    documented = (ROOT / "docs/bisect-json.md").read_text(encoding="utf-8")
    keys = {*report, *report["first"], *report["first"]["explanation"]}
    assert {key for key in keys if f"`{key}`" not in documented} == set()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([MODEL, OTHER, *TOKENS], 3, "hidden_size is 224 and the candidate's 256"),
        ([MODEL, MODEL, "--token-ids", "1,x"], 3, "'x' is no token id"),
        ([MODEL, MODEL, "--token-ids", ","], 3, "there are no tokens"),
        ([MODEL, MODEL, "--payload", ""], 3, "the prompt is empty"),
        ([MODEL, MODEL, "--token-ids", "99999"], 3, "token id 99999 is out of range"),
        ([MODEL, MODEL, "--token-ids", ",".join(["1"] * 600)], 3, "600 positions are more than the 512"),
        ([MODEL, MODEL, "--candidate-dtype", "float16"], 3, "--mixed-dtypes"),
        ([MODEL, MODEL, "--decode", "-1"], 2, "--decode is a number of tokens"),
        ([MODEL, MODEL, "--threads", "0"], 2, "--threads is a number"),
        ([MODEL, "nowhere"], 2, "nowhere: there is no such file"),
        ([MODEL, str(ROOT / "Makefile")], 3, "Makefile"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    assert cli.main(["bisect", *arguments]) == code
    ended = capsys.readouterr()
    assert words in ended.err
    assert ended.out == ""


def test_a_trace_answers_for_its_own_tokens_only(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    assert cli.main(["bisect", MODEL, trace, "--token-ids", "453,286,1588,1931,7,9,11,500"]) == 3
    assert "they differ at 3" in capsys.readouterr().err
    assert cli.main(["bisect", trace, trace]) == 3
    assert "one side has to compute" in capsys.readouterr().err
    assert cli.main(["bisect", trace, MODEL, "--candidate-dtype", "bfloat16"]) == 3
    assert "computes in" in capsys.readouterr().err


def test_a_trace_of_the_last_token_alone_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    np.save(tmp_path / "embedding.npy", np.zeros((1, 224), np.float32))
    origin = {"format": "pv-trace", "version": "1", "tokens": [1, 2, 3], "positions": [2], "dtype": "float32"}
    (tmp_path / "trace.json").write_text(json.dumps(origin))
    assert cli.main(["bisect", MODEL, str(tmp_path)]) == 3
    assert "holds 1 of 3 tokens" in capsys.readouterr().err


def test_half_precision_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = bisected(capsys, MODEL, MODEL, *TOKENS, "--candidate-dtype", "bfloat16", "--mixed-dtypes")
    assert (code, report["dtype"]) == (0, "bfloat16")


def test_a_folder_belongs_to_one_question(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, damaged: str
) -> None:
    folder = str(tmp_path / "kept")
    first = bisected(capsys, MODEL, damaged, *TOKENS, "--resume", folder)
    files = {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*.npy")}
    again = bisected(capsys, MODEL, damaged, *TOKENS, "--resume", folder)
    assert first[1]["stages"] == again[1]["stages"]
    kept = {path for path, time in files.items() if path.stat().st_mtime_ns == time}
    assert len(kept) >= 0.9 * len(files)  # all but the stages outside of blocks
    assert cli.main(["bisect", MODEL, MODEL, *TOKENS, "--resume", folder]) == 3
    assert "holds another bisection" in capsys.readouterr().err
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    assert cli.main(["bisect", MODEL, MODEL, *TOKENS, "--resume", str(tmp_path / "full")]) == 3
    assert "is not empty" in capsys.readouterr().err


def test_the_parser_imports_nothing_heavy() -> None:
    script = "import sys, pv_runtime.commands.bisect; print('torch' in sys.modules, 'numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


@pytest.mark.oracle
@pytest.mark.parametrize("backend", ["transformers", "llama.cpp"])
def test_other_implementations_agree(capsys: pytest.CaptureFixture[str], backend: str) -> None:
    code, report = bisected(capsys, MODEL, MODEL, "--candidate-backend", backend)
    assert code == 0
    accounted = {each["accounted_for"] for each in report["stages"] if each["accounted_for"]}
    assert bool(accounted) == (backend == "llama.cpp")  # which rounds what goes into a product


@pytest.mark.oracle
@pytest.mark.parametrize("backend", ["transformers", "llama.cpp"])
def test_a_damaged_file_is_named_through_other_implementations(
    capsys: pytest.CaptureFixture[str], damaged: str, backend: str
) -> None:
    code, report = bisected(capsys, MODEL, damaged, "--candidate-backend", backend)
    assert (code, report["first"]["stage"], report["first"]["layer"]) == (1, "qkv_bias", 3)


@pytest.mark.oracle
def test_llama_cpp_as_the_reference(capsys: pytest.CaptureFixture[str], damaged: str, tmp_path: Path) -> None:
    """Its own rounding is no error of the candidate, and a defect of the candidate is still found."""
    backend = ["--reference-backend", "llama.cpp"]
    assert bisected(capsys, MODEL, MODEL, *TOKENS, *backend)[0] == 0
    code, report = bisected(capsys, MODEL, damaged, *TOKENS, *backend)
    assert (code, report["first"]["stage"], report["first"]["layer"]) == (1, "qkv_bias", 3)
    kept = str(tmp_path / "kept")
    arguments = ["--backend", "llama.cpp", "--save-tensor", "all", "--save-dir", kept]
    assert cli.main(["trace", MODEL, *TOKENS, *arguments]) == 0
    capsys.readouterr()
    for sides in ([kept, MODEL], [MODEL, kept]):
        assert bisected(capsys, *sides)[0] == 0


def test_a_device_that_is_not_here_is_never_replaced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for side in ("--reference-device", "--candidate-device"):
        assert cli.main(["bisect", MODEL, MODEL, *TOKENS, side, "cuda", "--format", "json"]) == 3
        said = capsys.readouterr()
        assert (said.out, "no GPU" in said.err) == ("", True)
