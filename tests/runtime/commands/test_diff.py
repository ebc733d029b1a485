from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pv_runtime import cli
from pv_runtime.build import quantised_gguf
from pv_runtime.formats import Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.provenance import file_sha256

ROOT = Path(__file__).parents[3]
UP = "model.layers.0.mlp.up_proj.weight"


def written(view: Overlay, path: Path) -> str:
    infos = [(view.info(name), lambda name=name: view.raw(name)) for name in view.names()]
    write_safetensors(str(path), infos)
    return str(path)


@pytest.fixture
def changed(model_folder: Path, tmp_path: Path) -> str:
    model = open_checkpoint(model_folder)
    values = model.tensor(UP) * np.float32(1.25)
    return written(
        Overlay(model, replace={UP: from_values(UP, values.shape, lambda: values, "F16")}),
        tmp_path / "changed",
    )


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = cli.main(["diff", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_endings(
    model_folder: Path, changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(model_folder)
    broken = tmp_path / "broken"
    broken.write_bytes(b"\0" * 99)
    assert cli.main(["diff", model, model, "--values"]) == 0
    assert cli.main(["diff", model, changed, "--values"]) == 1
    assert cli.main(["diff", model, changed, "--values", "--threshold", "0.3"]) == 0
    assert cli.main(["diff", model, changed]) == 0  # structure alone agrees, and says that it is alone
    assert "values were not compared" in capsys.readouterr().out
    for pair in ((str(broken), model), (model, str(broken))):
        assert cli.main(["diff", *pair]) == 3
        assert str(broken) in capsys.readouterr().err
    assert cli.main(["diff", model, str(tmp_path / "missing")]) == 2
    assert cli.main(["diff", model, model, "--filter", "no such"]) == 2
    assert "nothing was compared" in capsys.readouterr().err
    assert cli.main(["diff", model, model, "--transpose-aware"]) == 2
    for wrong in (["--limit", "-1"], ["--threshold", "nan"], ["--threshold", "-1"]):
        assert cli.main(["diff", model, model, *wrong]) == 2


def test_extras_fail(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fewer = written(Overlay(open_checkpoint(model_folder), drop=[UP]), tmp_path / "fewer")
    code, found = report(capsys, str(model_folder), fewer, "--values")
    assert (code, found["equal"], found["tensors_differing"]) == (1, False, 0)
    assert [each["name"] for each in found["only_in_a"]] == [UP]
    code, found = report(capsys, fewer, str(model_folder))
    assert code == 1
    assert [each["name"] for each in found["only_in_b"]] == [UP]
    assert cli.main(["diff", fewer, str(model_folder)]) == 1
    assert f"only in b: {UP} F16" in capsys.readouterr().out


def test_nothing_is_left_out_silently(
    model_folder: Path, changed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = len(open_checkpoint(model_folder).names())
    _, all_of_it = report(capsys, str(model_folder), changed, "--values")
    assert (len(all_of_it["results"]), all_of_it["results_not_shown"]) == (tensors, 0)
    _, found = report(capsys, str(model_folder), changed, "--values", "--limit", "1")
    assert (len(found["results"]), found["results_not_shown"]) == (1, tensors - 1)
    assert found["results"][0]["name"] == UP  # the worst
    cli.main(["diff", str(model_folder), changed, "--values", "--limit", "2"])
    assert f"{tensors - 2} more are not shown" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["apr", "gguf", "safetensors"])
def test_the_original_command_line(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = str(ROOT / "models/tiny-qwen2"), str(tmp_path / f"b.{form}")
    assert cli.main(["export", model, "--format", form, "-o", out]) == 0
    capsys.readouterr()
    code, found = report(capsys, model, out, "--values", "--transpose-aware", "--limit", "339")
    assert (code, found["equal"], found["format_b"]) == (0, True, form)
    assert found["tensors_compared"] == len(found["results"]) == 62
    assert found["derived_from_b"] == file_sha256(f"{model}/model.safetensors")


def test_a_quantised_copy(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gguf = tmp_path / "model.gguf"
    quantised_gguf(str(model_folder), str(gguf), scheme="q8_0")
    code, found = report(capsys, str(model_folder), str(gguf), "--values")
    assert code == 1
    worst = found["results"][0]
    assert 0.999 < worst["cosine_similarity"] < 1
    assert worst["block_count"] == worst["element_count"] // 32
    assert worst["max_ulps"] is None


def test_every_key_is_documented(
    model_folder: Path, changed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / "docs/how-to/compare-two-checkpoints.md"
    documented = set(re.findall(r"^\| `(\w+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE))
    _, found = report(capsys, str(model_folder), changed, "--values")
    assert documented == set(found) | set(found["results"][0])


def test_names_cannot_drive_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensor = from_values("\x1b[2J", (2,), lambda: np.ones(2, np.float32), "F16")
    write_safetensors(str(tmp_path / "x"), [(tensor.info, tensor.raw)])
    assert cli.main(["diff", str(tmp_path / "x"), str(tmp_path / "x"), "--values"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_what_is_known_of_the_origin(capsys: pytest.CaptureFixture[str]) -> None:
    source, quantised = str(ROOT / "models/tiny-qwen2"), str(ROOT / "models/tiny-qwen2-q4_k")
    twin = str(ROOT / "models/tiny-qwen2-q4_k-twin")
    for a, b, expected in (
        (source, quantised, "b_from_a"), (quantised, source, "a_from_b"), (twin, quantised, "a_from_b"),
        (twin, source, "other_source"), (source, source, None),
    ):  # fmt: skip
        _, found = report(capsys, a, b, "--verify-origin")
        assert found["origin"] == expected
        _, found = report(capsys, a, b)
        assert found["origin"] == ("not_verified" if expected else None)
    cli.main(["diff", source, quantised, "--verify-origin"])
    assert "note: b was derived from a (sha256 matches)" in capsys.readouterr().out


def test_a_comparison_that_measures_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    twin, quantised = (str(ROOT / f"models/tiny-qwen2-q4_k{end}") for end in ("-twin", ""))
    code, found = report(capsys, twin, quantised, "--values")
    assert (code, len(found["diagnosis"])) == (0, 1)
    cli.main(["diff", twin, quantised, "--values", "--limit", "1"])
    assert "a was made from b, and this comparison cannot measure quantisation" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ["--threshold", "0.1"], ["--transpose-aware"], ["--values", "--threshold", "nan"],
        ["--values", "--threshold", "-1"], ["--values", "--threshold", "inf"],
        ["--values", "--threshold", "x"], ["--limit", "-1"], ["--limit", "1e3"], ["--limit", "1_0"],
    ],
)  # fmt: skip
def test_an_option_is_used_or_stops(
    options: list[str], model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["diff", str(model_folder), str(model_folder), *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "_natural" not in said.err
    assert "_fraction" not in said.err
