from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pv_runtime import cli
from pv_runtime.tokenizer import tokenizer_in

MODELS = Path(__file__).resolve().parents[3] / "models"
TOKENIZER = MODELS / "tiny-qwen2"


def test_shards_are_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("def f(x):\n    return x\n")
    out = tmp_path / "out"
    line = [
        "tokenize",
        str(tmp_path / "text"),
        "--tokenizer",
        str(TOKENIZER),
        "-o",
        str(out),
        "--held-out",
        "0",
    ]
    assert cli.main([*line, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["documents"] == {"training": 1, "held_out": 0}
    ids = np.fromfile(out / "shard-00000.bin", dtype="<u4")
    assert tokenizer_in(TOKENIZER).decode(ids[:-1]) == (tmp_path / "text").read_text()
    assert report["training"][0]["tokens"] == ids.size
    assert cli.main(line) == 2  # it is there already


@pytest.mark.parametrize(
    ("more", "said"), [(["--held-out", "1"], "--held-out"), (["--shard-tokens", "0"], "--shard-tokens")]
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    line = ["tokenize", str(MODELS / "recipe"), "--tokenizer", str(TOKENIZER), "-o", str(tmp_path / "out")]
    assert cli.main([*line, *more]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_one_document_is_not_divided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("x = 1\n")
    line = ["tokenize", str(tmp_path / "text"), "--tokenizer", str(TOKENIZER), "-o", str(tmp_path / "out")]
    assert cli.main(line) == 1
    assert "DATA-004" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
