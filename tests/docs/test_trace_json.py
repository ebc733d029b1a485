from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pv_runtime import cli
from pv_runtime.anomalies import Anomaly
from pv_runtime.stages import STAGES
from pv_runtime.trace_compare import StageDifference

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tables() -> dict[str, list[str]]:
    """Return the keys of each section's table."""
    text = (ROOT / "docs/trace-json.md").read_text(encoding="utf-8")
    sections = (section.split("\n", 1) for section in text.split("\n## ")[1:])
    return {title: re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE) for title, body in sections}


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    cli.main([*words, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_keys_of_a_report_are_documented(
    tables: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(ROOT / "models/tiny-qwen2")
    report = printed(capsys, "trace", model, "--payload")
    assert list(report) == tables["The report"]
    assert list(printed(capsys, "trace", model)) == tables["The report"]
    stage = report["stages"][0]
    assert list(stage) == tables["A stage"]
    assert list(stage["all"]) == list(stage["last"]) == tables["Figures"]
    assert list(stage["peak"]) == tables["The peak"]
    assert [field.name for field in dataclasses.fields(Anomaly)] == tables["An anomaly"]
    assert tables["The stages"] == list(STAGES)


def test_the_keys_of_a_comparison_are_documented(
    tables: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "a")
    cli.main(["trace", str(ROOT / "models/tiny-qwen2"), "--tokens", "5", "--save-tensor", "embedding",
              "--save-dir", folder])  # fmt: skip
    capsys.readouterr()
    report = printed(capsys, "diff", folder, folder)
    (title,) = (title for title in tables if "diff" in title)
    assert list(report) == tables[title]
    text = (ROOT / "docs/trace-json.md").read_text(encoding="utf-8").rsplit("| `stages` |", 1)[1]
    named = set(re.findall(r"`(\w+)`", text))
    assert named == {"within", *(field.name for field in dataclasses.fields(StageDifference))}
    assert set(report["stages"][0]) == named
