from __future__ import annotations

import json
from pathlib import Path

import pytest
from pv_runtime import cli
from pv_runtime.formats import open_checkpoint

FILE = str(Path(__file__).resolve().parents[3] / "models/tiny-qwen2-q4_k/model.gguf")


def test_json_says_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "x.gguf")
    assert cli.main(["stamp", FILE, "-o", target, "--license", "apache-2.0", "--json"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert list(report) == [
        "schema_version", "source", "source_sha256", "source_bytes", "output", "output_bytes", "format",
        "tensors", "stamped", "tokenizer", "changed", "notes",
    ]  # fmt: skip
    assert (report["stamped"], report["changed"], report["tensors"]) == ({"license": "Apache-2.0"}, True, 62)
    assert report["output_bytes"] == Path(target).stat().st_size
    assert captured.err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to stamp"),
        (["--license", "Apache 2"], "no SPDX licence expression"),
        (["--data-license", "unknown"], "no SPDX licence expression"),
        (["--data-source", " "], "no line of text"),
        (["--data-source", "TBD"], "--data-source 'TBD' says nothing"),
        (["--architecture", "(missing)"], "--architecture '(missing)' says nothing"),
        (["--data-source", "a\x1b[31m"], "no line of text"),
        (["--architecture", "x" * 5000], "no line of text"),
    ],
)
def test_what_is_no_stamp_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert cli.main(["stamp", FILE, "-o", str(tmp_path / "x"), *words]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "tokenizer.json"])
def test_a_tokenizer_alone_is_a_stamp(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, folder = str(tmp_path / "x"), Path(FILE).parents[1] / "tiny-qwen2"
    assert cli.main(["stamp", FILE, "-o", target, "--tokenizer", str(folder / name)]) == 0
    assert "tokenizer       4,096 tokens" in capsys.readouterr().out
    assert cli.main(["inspect", target, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tokenizer"]["tokens"] == 4096
    assert cli.main(["stamp", FILE, "-o", target, "-f", "--tokenizer", str(tmp_path / "nowhere")]) == 2
    assert cli.main(["stamp", FILE, "-o", target, "-f", "--tokenizer", str(tmp_path)]) == 1
    assert "holds no tokenizer.json" in capsys.readouterr().err


def test_nothing_is_overwritten_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "x"
    target.write_text("precious")
    command = ["stamp", FILE, "-o", str(target), "--license", "0BSD"]
    assert cli.main(command) == 2
    assert target.read_text() == "precious"
    assert cli.main([*command, "--force"]) == 0
    assert "62 tensors copied byte for byte" in capsys.readouterr().out
    assert cli.main(["stamp", str(target), "-o", str(target), "--license", "0BSD", "-f"]) == 0
    assert "it said all of this before" in capsys.readouterr().out
    assert open_checkpoint(target).metadata["general.license"] == "0BSD"


def test_endings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "x")
    assert cli.main(["stamp", str(tmp_path / "none"), "-o", target, "--license", "MIT"]) == 2
    assert cli.main(["stamp", FILE, "-o", target, "--architecture", "llama"]) == 1
    assert "says that it is a 'qwen2'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_class_and_the_type_are_stamped(tmp_path: Path) -> None:
    target = str(tmp_path / "x.gguf")
    words = ["--hf-architecture", "Qwen2ForCausalLM", "--hf-model-type", "qwen2"]
    assert cli.main(["stamp", FILE, "-o", target, *words]) == 0
    assert {"Qwen2ForCausalLM", "qwen2"} <= {
        value for key, value in open_checkpoint(target).metadata.items() if "hf_" in key
    }
