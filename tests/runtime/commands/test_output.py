from __future__ import annotations

from pathlib import Path

import pytest
from pv_runtime import cli
from pv_runtime.commands.output import refusal


def test_what_may_be_written_and_what_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert refusal(str(tmp_path / "new"), force=False) is None
    assert refusal(str(tmp_path / "file"), force=True) is None
    assert refusal(str(tmp_path / "folder"), force=True, folder=True) is None
    for name, force, folder, reason in [
        ("file", False, False, "is there already"),
        ("link", False, False, "is there already"),
        ("folder", False, True, "is there already"),
        ("folder", True, False, "is a folder"),
        ("none/new", True, False, "there is no folder"),
    ]:
        said = refusal(str(tmp_path / name), force=force, folder=folder)
        assert said is not None
        assert reason in said


def test_a_disk_that_cannot_be_written_is_an_error_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    source = Path(__file__).resolve().parents[3] / "models/tiny-qwen2-q4_k/model.gguf"
    assert cli.main(["export", str(source), "--format", "apr", "-o", "/sys/x.apr"]) == 4
    said = capsys.readouterr().err
    assert said.startswith("error: /sys/")
    assert "Traceback" not in said
