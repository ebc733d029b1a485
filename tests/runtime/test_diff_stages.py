from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from pv_runtime import cli
from pv_runtime.aprt import write_aprt
from pv_runtime.diff_stages import applies

VALUES = np.arange(1, 13, dtype=np.float32).reshape(3, 4)


def written(folder: Path, factor: float = 1, tokens: str = "[1,2,3]") -> Path:
    folder.mkdir()
    (folder / "layer-0").mkdir()
    (folder / "layer-1").mkdir()
    (folder / "trace.json").write_text(f'{{"tokens": {tokens}, "dtype": "float32"}}')
    write_aprt(folder / "embedding.bin", None, VALUES)
    write_aprt(folder / "layer-0/ffn_out.bin", 0, VALUES)
    write_aprt(folder / "layer-1/ffn_out.bin", 1, VALUES * np.float32(factor))
    return folder


def diff(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = cli.main(["diff", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_two_traces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = written(tmp_path / "a"), written(tmp_path / "b", 1.5)
    code, report = diff(capsys, a, a)
    assert (code, report["equal"], report["compared_count"]) == (0, True, 3)
    code, report = diff(capsys, a, b)
    assert (code, report["equal"], report["first_beyond"]) == (1, False, "layer-1/ffn_out")
    assert [each["within"] for each in report["stages"]] == [True, True, False]
    assert report["stages"][2]["relative_l2"] == pytest.approx(0.5)
    assert diff(capsys, a, b, "--threshold", "0.51")[0] == 0
    assert diff(capsys, a, b, "--filter", "layer-0")[0] == 0
    assert cli.main(["diff", str(a), str(b)]) == 1
    text = capsys.readouterr().out
    assert "first beyond it, in the order of computation: layer-1/ffn_out" in text
    assert "equal bit for bit: 2, 1 beyond 0" in text


def test_a_difference_of_zero_size_and_nan_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = written(tmp_path / "a"), written(tmp_path / "b")
    write_aprt(a / "layer-1/ffn_out.bin", 1, VALUES * 0)
    write_aprt(b / "layer-0/ffn_out.bin", 0, VALUES * np.float32(np.nan))
    code, report = diff(capsys, a, b)
    assert code == 1
    assert [each["relative_l2"] for each in report["stages"]] == [0, None, None]
    cli.main(["diff", str(a), str(b)])
    text = capsys.readouterr().out
    assert "not finite: 0 values of A, 12 of B" in text
    assert "infinite" in text
    cli.main(["diff", str(a), str(b), "--limit", "1"])
    assert "and 1 more stages (--limit 2 shows them)" in capsys.readouterr().out


def test_a_stage_on_one_side_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = written(tmp_path / "a"), written(tmp_path / "b")
    (b / "embedding.bin").unlink()
    code, report = diff(capsys, a, b)
    assert (code, report["only_a"], report["only_b"]) == (0, ["embedding"], [])
    assert "only in A, and not compared: 1 stages, first embedding" in report["notes"]


def test_unlike_sides_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = written(tmp_path / "a"), written(tmp_path / "b", tokens="[1,2,4]")
    model = Path(__file__).parents[2] / "models/tiny-qwen2"
    stage = a / "embedding.bin"
    cases = [((a, b), "made on other tokens"), ((a, model), "is no trace"), ((model, a), "is no trace")]
    cases += [((stage, a), "is no APRT file"), ((model, stage), "is no APRT file")]
    for pair, why in cases:
        assert cli.main(["diff", *map(str, pair)]) == 3, pair
        assert why in capsys.readouterr().err
    assert cli.main(["diff", str(a), str(b), "--values", "--transpose-aware"]) == 2
    assert "about weights" in capsys.readouterr().err
    for words in (["--verify-origin"], ["--limit", "1", "--json"]):
        assert cli.main(["diff", str(a), str(a), *words]) == 2
        assert capsys.readouterr().err.startswith(f"error: {words[0]} ")


def test_two_files_of_one_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = written(tmp_path / "a"), written(tmp_path / "b", 1.5)
    stage = "layer-1/ffn_out.bin"
    code, report = diff(capsys, a / stage, b / stage)
    assert (code, report["first_beyond"], report["notes"]) == (1, "layer-1/ffn_out", [])
    assert report["compared_count"] == 1
    assert diff(capsys, a / "embedding.bin", b / "embedding.bin")[0] == 0
    assert cli.main(["diff", str(a / stage), str(a / stage), "--filter", "x"]) == 2
    capsys.readouterr()
    (a / "trace.json").unlink()
    code, report = diff(capsys, a / stage, b / stage)
    assert code == 1
    assert "does not say on which tokens" in report["notes"][0]


def test_two_files_of_different_things(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = written(tmp_path / "a"), written(tmp_path / "b", tokens="[1,2,4]")

    def refused(first: Path, second: Path, why: str) -> None:
        assert cli.main(["diff", str(first), str(second)]) == 3
        assert why in capsys.readouterr().err

    refused(
        a / "layer-0/ffn_out.bin", b / "layer-1/ffn_out.bin", "is layer-1/ffn_out, the other side is layer-0"
    )
    refused(a / "layer-0/ffn_out.bin", b / "layer-0/ffn_out.bin", "made on other tokens")
    write_aprt(tmp_path / "ffn_out.bin", 0, VALUES.ravel()[:5])
    refused(a / "layer-0/ffn_out.bin", tmp_path / "ffn_out.bin", "has 5 values, the other side has 12")
    write_aprt(tmp_path / "ffn_up.bin", 0, VALUES)
    refused(a / "layer-0/ffn_out.bin", tmp_path / "ffn_up.bin", "is layer-0/ffn_up")
    write_aprt(tmp_path / "ffn_out.bin", 0, VALUES[:0])
    refused(tmp_path / "ffn_out.bin", tmp_path / "ffn_out.bin", "has no values")


def test_a_model_with_other_binaries_beside_it_is_a_model(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"a": VALUES}, tmp_path / "model.safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\3\4")
    assert not applies(str(tmp_path), str(tmp_path))
    assert cli.main(["diff", str(tmp_path), str(tmp_path), "--values"]) == 0
