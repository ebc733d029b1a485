"""Every key that docs/bisect-json.md lists is one that is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pv_runtime import cli

ROOT = Path(__file__).parents[2]


def test_no_key_is_documented_that_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    models = [str(ROOT / "models/tiny-qwen2"), str(ROOT / "models/tiny-qwen2-7to1")]
    assert cli.main(["bisect", models[0], models[0], "--token-ids", "1,2,3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    cells = re.findall(r"^\| (`[^|]*) \|", (ROOT / "docs/bisect-json.md").read_text("utf-8"), re.MULTILINE)
    listed = {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    explanation = {"signature", "experiment", "settled", "before", "after", "sentence"}
    assert listed == {*report, *report["stages"][0], *explanation}
