from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pv_runtime import cli
from pv_runtime.formats import Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.stages import LAYER_STAGES
from pv_runtime.trace_file import open_trace

ROOT = Path(__file__).parents[3]
MODEL = str(ROOT / "models/tiny-qwen2")
TOKENS = "453,286,1588,1930"


def traced(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = cli.main(["trace", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = traced(capsys, MODEL, "--payload", "def f(x):")
    assert (code, report["computed"], report["prompt"]) == (0, True, "def f(x):")
    assert report["tokens"] == [453, 286, 1588, 1930]
    assert (report["backend"], report["dtype"], report["format"]) == ("reference", "float32", "safetensors")
    assert len(report["stages"]) == 3 + 15 * 5
    first = report["stages"][0]
    assert (first["stage"], first["layer"], first["features"]) == ("embedding", None, 256)
    assert set(first["all"]) == {
        "count", "minimum", "maximum", "mean", "std", "rms", "nan", "infinite", "zeros"
    }  # fmt: skip
    assert first["all"]["count"] == 4 * first["last"]["count"] == 1024
    assert [len(report[key]) for key in ("top", "anomalies", "not_judged")] == [5, 0, 0]
    assert report["top"][0]["text"]


def test_without_a_prompt_nothing_is_computed(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = traced(capsys, MODEL)
    assert (code, report["computed"], report["top"], report["anomalies"]) == (0, False, None, None)
    assert all(set(each) == {"stage", "layer", "features"} for each in report["stages"])
    assert report["not_judged"] == ["nothing was computed: no prompt was given"]
    assert cli.main(["trace", MODEL]) == 0
    assert "nothing was computed" in capsys.readouterr().out


def test_the_prompt_by_itself_is_the_fixed_one(capsys: pytest.CaptureFixture[str]) -> None:
    _, report = traced(capsys, MODEL, "--stages", "embedding", "--payload")
    assert report["prompt"] == "What is 2+2?"
    assert len(report["stages"]) == 1


def test_the_table_has_a_line_for_each_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trace", MODEL, "--token-ids", TOKENS]) == 0
    text = capsys.readouterr().out.splitlines()
    for layer in range(5):
        for stage in LAYER_STAGES:
            assert sum(line.split()[:1] == [f"layer-{layer}/{stage}"] for line in text) == 1
    assert sum(line.split()[:1] == ["lm_head"] for line in text) == 1
    assert "odd     nothing" in text
    assert any("two different quantities" in line for line in text)


def test_layers_and_stages_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    _, report = traced(capsys, MODEL, "--tokens", TOKENS, "--layer", "1..2", "--stages", "ffn_swigl,lm_head")
    rows = [(each["stage"], each["layer"]) for each in report["stages"]]
    assert rows == [("ffn_swiglu", 1), ("ffn_swiglu", 2), ("lm_head", None)]
    assert "fewer than 5" in report["not_judged"][0]
    for wrong in (["--layer", "5"], ["--layer", "x"], ["--stages", "ffn"], ["--threads", "0"]):
        assert cli.main(["trace", MODEL, "--tokens", TOKENS, *wrong]) == 2
        assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("save_as", ["aprt", "safetensors"])
def test_what_is_kept_is_the_same_on_every_run(
    tmp_path: Path, save_as: str, dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        code, report = traced(
            capsys, MODEL, "--tokens", TOKENS, "--save-tensor", "all", "--save-dir", str(tmp_path / name),
            "--save-as", save_as, "--dtype", dtype, "--stages", "embedding",
        )  # fmt: skip
        assert code == 0
        assert report["saved"] == {"path": str(tmp_path / name), "format": save_as, "stages": 78}
    a, b = (sorted(path for path in (tmp_path / name).rglob("*") if path.is_file()) for name in "ab")
    assert [path.relative_to(tmp_path / "a") for path in a] == [
        path.relative_to(tmp_path / "b") for path in b
    ]
    assert all(x.read_bytes() == y.read_bytes() for x, y in zip(a, b, strict=True))
    found = open_trace(str(tmp_path / "a"))
    assert (found.tokens, found.origin.dtype) == ((453, 286, 1588, 1930), dtype)
    assert found.origin.model == "tiny-qwen2/model.safetensors"
    assert len(found.origin.model_sha256 or "") == 64
    assert len(found.stages()) == 78
    assert cli.main(["diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 0


def test_both_ways_of_keeping_hold_the_same_values(tmp_path: Path) -> None:
    for save_as in ("aprt", "safetensors"):
        kept = ["--save-tensor", "ffn_gate,lm_head", "--save-dir", str(tmp_path / save_as), "--layer", "0..1"]
        assert cli.main(["trace", MODEL, "--tokens", TOKENS, *kept, "--save-as", save_as]) == 0
    a, b = (open_trace(str(tmp_path / name)) for name in ("aprt", "safetensors"))
    assert a.stages() == b.stages() == (("ffn_gate", 0), ("ffn_gate", 1), ("lm_head", None))
    assert a.origin == b.origin
    for key in a.stages():
        np.testing.assert_array_equal(a.values(*key), b.values(*key))
    assert (tmp_path / "aprt/lm_head.bin").read_bytes()[4:8] == b"\xff" * 4


def test_a_folder_with_something_in_it_is_not_written_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["trace", MODEL, "--tokens", TOKENS, "--save-tensor", "embedding", "--save-dir", str(tmp_path)]
    (tmp_path / "mine").write_text("x")
    assert cli.main(words) == 1
    assert "is not empty" in capsys.readouterr().err
    assert cli.main([*words, "--force"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["embedding.bin", "mine", "trace.json"]


def test_contradictions_are_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["--payload", "x", "--tokens", "1"],
        ["--tokens", "1", "--save-tensor", "all"],
        ["--tokens", "1", "--save-dir", str(tmp_path)],
        ["--save-tensor", "all", "--save-dir", str(tmp_path)],
        ["--tokens", "1", "--backend", "llama.cpp", "--one-layer-at-a-time"],
        ["--tokens", "1", "--force"],
        ["--tokens", "1", "--save-as", "safetensors"],
        ["--tokens", "1", "--save-tensor", "", "--save-dir", str(tmp_path)],
        ["--tokens", "1", "--save-tensor", "all", "--save-dir", ""],
        ["--tokens", "1", "--threads", "99999999999"],
        ["--backend", "nothing"],
        ["--tokenizer", str(tmp_path)],
        ["--one-layer-at-a-time"],
        ["--threads", "1"],
    ):
        assert cli.main(["trace", MODEL, *words]) == 2
        assert "error: " in capsys.readouterr().err
    assert cli.main(["trace", str(tmp_path / "none")]) == 2


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--tokens", ""], "no tokens|empty"),
        (["--payload", ""], "no tokens|empty"),
        (["--tokens", "4096"], "4096"),
        (["--tokens", "1,-1"], "-1"),
        (["--tokens", "1,x"], "'x' is no token id"),
        (["--tokens", "9" * 5000], "9…' is no token id"),
        (["--tokens", "٣"], "is no token id"),
        (["--tokens", ",".join(["1"] * 4097)], "4097|positions"),
        (["--tokens", "1", "--backend", "nothing"], "back-end"),
    ],
)
def test_prompts_without_an_answer_are_rejected(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["trace", MODEL, *words]) == 1
    assert re.search(why, capsys.readouterr().err)


@pytest.mark.oracle
def test_what_a_backend_does_not_show_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [MODEL, "--tokens", TOKENS, "--backend", "llama.cpp"]
    code, report = traced(capsys, *words)
    assert (code, report["backend"], len(report["stages"])) == (0, "llama.cpp", 3 + 14 * 5)
    assert report["not_judged"] == ["stages that this back-end does not show: ffn_silu"]
    for more in (["--stages", "ffn_silu"], ["--save-tensor", "ffn_silu", "--save-dir", str(tmp_path / "t")]):
        assert cli.main(["trace", *words, *more]) == 1
        assert "does not show ffn_silu" in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


@pytest.mark.oracle
def test_transformers_computes_the_same(tmp_path: Path) -> None:
    for backend in ("reference", "transformers"):
        kept = ["--save-tensor", "all", "--save-dir", str(tmp_path / backend), "--save-as", "safetensors"]
        assert cli.main(["trace", MODEL, "--tokens", TOKENS, "--backend", backend, *kept]) == 0
    pair = [str(tmp_path / "reference"), str(tmp_path / "transformers")]
    assert cli.main(["diff", *pair, "--threshold", "1e-5"]) == 0
    version = importlib.metadata.version("transformers")
    assert (open_trace(pair[1]).origin.made_by or "").endswith(f", transformers {version}")


def damaged(folder: Path, name: str, value: float) -> str:
    model = open_checkpoint(MODEL)
    values = model.tensor(name).copy()
    values[7] = value
    view = Overlay(model, replace={name: from_values(name, values.shape, lambda: values, "F32")})
    infos = [(view.info(each), lambda each=each: view.raw(each)) for each in view.names()]
    write_safetensors(str(folder / "model.safetensors"), infos)
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(Path(MODEL) / file, folder / file)
    return str(folder)


def test_a_nan_ends_with_one_and_names_its_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = damaged(tmp_path, "model.layers.2.mlp.down_proj.weight", np.nan)
    code, report = traced(capsys, model, "--payload")
    assert code == 1
    first = report["anomalies"][0]
    assert (first["severity"], first["kind"], first["stage"], first["layer"]) == (
        "defect",
        "nan",
        "ffn_out",
        2,
    )
    assert report["top"] == []
    assert cli.main(["trace", model, "--payload"]) == 1
    text = capsys.readouterr().out
    assert "defect    layer-2/ffn_out: 9 of 2304 values are not a number" in text
    assert "later stages" in text
    assert "no logit of the last token is finite" in text


def test_a_layer_with_a_wrong_scale_is_suspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = damaged(tmp_path, "model.layers.2.mlp.down_proj.weight", 40.0)
    code, report = traced(capsys, model, "--payload")
    assert code == 0
    places = {(each["severity"], each["stage"], each["layer"]) for each in report["anomalies"]}
    assert ("suspect", "ffn_out", 2) in places


def test_one_layer_at_a_time_gives_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    whole, streamed = (
        traced(capsys, MODEL, "--tokens", TOKENS, *more)[1] for more in ([], ["--one-layer-at-a-time"])
    )
    assert whole == streamed


def test_the_formats_of_one_model_agree(capsys: pytest.CaptureFixture[str]) -> None:
    twin = str(ROOT / "models/tiny-qwen2-q4_k-twin")
    packed = str(ROOT / "models/tiny-qwen2-q4_k")
    a, b = (traced(capsys, model, "--tokens", TOKENS)[1] for model in (twin, packed))
    for x, y in zip(a["stages"], b["stages"], strict=True):
        assert x["all"]["count"] == y["all"]["count"]
        assert x["all"]["std"] == pytest.approx(y["all"]["std"], rel=1e-3), (x["stage"], x["layer"])


def test_the_command_is_quick_to_start() -> None:
    code = (
        "import sys; from pv_runtime import cli; assert cli.main(['trace', '--help']) == 0\n"
        "assert not {'torch', 'numpy', 'transformers', 'tokenizers'} & set(sys.modules)\n"
        "from pv_runtime import diff_stages; assert 'torch' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_a_gpu_that_is_not_here_is_never_replaced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    line = ["trace", MODEL, "--token-ids", TOKENS, "--device", "cuda", "--format", "json"]
    assert cli.main(line) == 1
    said = capsys.readouterr()
    assert (said.out, "no GPU" in said.err) == ("", True)
