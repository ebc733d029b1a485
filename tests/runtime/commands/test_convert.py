from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pv_runtime import cli
from pv_runtime.convert import QUANTISATIONS
from pv_runtime.formats import open_checkpoint


def test_nothing_is_replaced_without_force(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.gguf"
    command = ["convert", str(model_folder), "--quantize", "q8_0", "-o", str(out)]
    assert cli.main(command) == 0
    before = out.read_bytes()
    assert cli.main(command) == 2
    assert "--force" in capsys.readouterr().err
    command[3] = "q4_k"
    assert cli.main([*command, "--force"]) == 0
    assert out.read_bytes() != before


def test_endings(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out.gguf")
    assert cli.main(["convert", str(tmp_path / "missing"), "--quantize", "q8_0", "-o", out]) == 2
    assert cli.main(["convert", str(model_folder), "--quantize", "q3_k", "-o", out]) == 2
    assert cli.main(["convert", str(model_folder), "-o", out]) == 2
    (tmp_path / "broken").write_bytes(b"\0" * 99)
    assert cli.main(["convert", str(tmp_path / "broken"), "--quantize", "q8_0", "-o", out]) == 1
    assert not (tmp_path / "out.gguf").exists()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "stated", "written"),
    [
        ("x.safetensors", None, "safetensors"), ("x.apr", None, "apr"), ("x.gguf", None, "gguf"),
        ("x", None, "gguf"), ("x", "apr", "apr"), ("folder", "safetensors", "safetensors"),
        ("x.apr", "gguf", None), ("x.gguf", "safetensors", None),
    ],
)  # fmt: skip
def test_the_format_is_what_the_name_or_the_option_says(
    name: str, stated: str | None, written: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(__file__).parents[3] / "models/tiny-qwen2-q4_k/model.gguf"
    out = tmp_path / name
    options = ["--format", stated] if stated else []
    command = ["convert", str(source), "--quantize", "f16", "-o", str(out), *options]
    assert cli.main(command) == (0 if written else 2)
    if written:
        assert open_checkpoint(out).format == written
        assert "dequantised from Q4_K" in capsys.readouterr().out
        assert cli.main(command) == 2  # nothing is replaced
        assert cli.main([*command, "--force"]) == 0
    else:
        assert not out.exists()
        assert "leave --format out" in capsys.readouterr().err


def test_blocks_go_into_no_safetensors(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.safetensors"
    assert cli.main(["convert", str(model_folder), "--quantize", "q4_k_m", "-o", str(out)]) == 2
    assert "take f16, bf16, f32, or name a .gguf" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("option", ["--requantize", "--allow-requantize"])
def test_quantising_twice_is_asked_for(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(__file__).parents[3] / "models/tiny-qwen2-q4_k/model.gguf"
    command = ["convert", str(source), "--quantize", "q8_0", "-o", str(tmp_path / "x.gguf")]
    assert cli.main(command) == 1
    assert "--requantize" in capsys.readouterr().err
    assert cli.main([*command, option]) == 0
    assert "quantised again from Q4_K" in capsys.readouterr().out


def test_json_says_what_was_taken_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(__file__).parents[3] / "models/tiny-qwen2-7to1"
    out = tmp_path / "out.gguf"
    assert cli.main(["convert", str(folder), "--quantize", "q4_k_m", "-o", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    model = open_checkpoint(out)
    assert found["quantize"] == "q4_k_m"
    assert found["fallbacks"]
    assert all(model.info(each["name"]).dtype == each["taken"] for each in found["fallbacks"])
    assert sum(found["dtypes"].values()) == found["tensors"] == len(model.names())
    assert cli.main(["convert", str(folder), "--quantize", "q4_k", "-o", str(out), "--force"]) == 0
    assert "is Q5_0, not Q4_K" in capsys.readouterr().out


def test_the_command_line_knows_every_type() -> None:
    from pv_runtime.commands.convert import _TYPES

    assert set(_TYPES) == set(QUANTISATIONS)


def test_every_key_is_documented(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/quantise-a-model.md").read_text(encoding="utf-8")
    out = str(tmp_path / "out.gguf")
    assert cli.main(["convert", str(model_folder), "--quantize", "bf16", "-o", out, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) <= set(re.findall(r"`(\w+)`", page.partition("## For programs")[2]))
    table = page.partition("## Rows")[0]
    assert all(name in table for name in QUANTISATIONS)


def test_a_tokenizer_may_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = str(Path(__file__).resolve().parents[3] / "models/tiny-qwen2")
    for words, carried in (([], True), (["--without-tokenizer"], False)):
        out = str(tmp_path / f"{carried}.gguf")
        assert cli.main(["convert", shipped, "--quantize", "f16", "-o", out, *words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["tokenizer"] is carried
        assert ("tokenizer.ggml.tokens" in open_checkpoint(out).metadata) is carried
