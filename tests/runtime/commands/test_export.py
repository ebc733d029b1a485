from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pv_runtime import cli
from pv_runtime.formats import open_checkpoint

MODEL = Path(__file__).resolve().parents[3] / "models/tiny-qwen2"


def test_json_says_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "x.gguf")
    assert cli.main(["export", str(MODEL), "--format", "gguf", "-o", target, "--json"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert list(report) == [
        "schema_version", "source", "source_format", "source_sha256", "format", "files", "tensors", "dtypes",
        "widened", "tokenizer", "notes",
    ]  # fmt: skip
    assert (report["tensors"], report["dtypes"], report["tokenizer"]) == (62, {"F16": 36, "F32": 26}, True)
    assert (report["files"], len(report["widened"]), captured.err) == ([target], 26, "")
    assert open_checkpoint(target).format == "gguf"


def test_nothing_is_overwritten_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "x.apr"
    target.write_text("precious")
    command = ["export", str(MODEL), "--format", "apr", "-o", str(target)]
    assert cli.main(command) == 2
    captured = capsys.readouterr()
    assert (captured.out, target.read_text()) == ("", "precious")
    assert "is there already" in captured.err
    assert "--force" in captured.err
    assert cli.main([*command, "--force"]) == 0
    assert "wrote" in capsys.readouterr().out
    assert open_checkpoint(target).format == "apr"


def test_endings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "x")
    assert cli.main(["export", str(tmp_path / "none"), "--format", "apr", "-o", target]) == 2
    assert cli.main(["export", str(MODEL), "--format", "onnx", "-o", target]) == 2
    blocks = str(MODEL.parent / "tiny-qwen2-q4_k/model.gguf")
    assert cli.main(["export", blocks, "--format", "safetensors", "-o", target]) == 1
    assert "Q4_K, which safetensors cannot hold" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert cli.main(["export", blocks, "--format", "apr", "-o", target, "--without-tokenizer"]) == 0
    assert "tokenizer     none" in capsys.readouterr().out


def test_what_a_reader_noted_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", str(MODEL), "--format", "apr", "-o", str(tmp_path / "x.apr")]) == 0
    (tmp_path / "x.apr").write_bytes((tmp_path / "x.apr").read_bytes()[:-4])
    assert cli.main(["export", str(tmp_path / "x.apr"), "--format", "gguf", "-o", str(tmp_path / "y")]) == 0
    assert "note: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["export", "stamp"])
def test_the_page_lists_the_keys_that_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    words = {"export": ["--format", "apr"], "stamp": ["--license", "0BSD"]}[command]
    source = str(MODEL.parent / "tiny-qwen2-q4_k/model.gguf")
    assert cli.main([command, source, *words, "-o", str(tmp_path / "x"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    page = (MODEL.parents[1] / "docs/how-to/convert-between-formats.md").read_text(encoding="utf-8")
    section = page.split(f"Of `apr {command}`:\n\n")[1].split("\n\n")[0]
    listed = {key for row in section.splitlines() for key in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    assert listed == set(printed)
