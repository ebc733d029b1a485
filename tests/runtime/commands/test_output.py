from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pv_runtime import cli
from pv_runtime.commands.output import refusal

SOURCE = Path(__file__).resolve().parents[3] / "models/tiny-qwen2-q4_k/model.gguf"


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
    assert cli.main(["export", str(SOURCE), "--format", "apr", "-o", "/sys/x.apr"]) == 4
    said = capsys.readouterr().err
    assert said.startswith("error: /sys/x.apr: ")
    assert "Traceback" not in said


def test_names_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    for path, form, reason in [
        ("", None, "no name of a file"),
        (f"{tmp_path}/x/", None, "no name of a file"),
        (f"{tmp_path}/pipe", None, "never replaced"),
        (f"{tmp_path}/link", None, "never replaced"),
        ("/dev/null", None, "never replaced"),
        (f"{tmp_path}/x.apr", "gguf", "no name for gguf"),
    ]:
        said = refusal(path, force=True, form=form)
        assert said is not None
        assert reason in said
    assert refusal(f"{tmp_path}/x.apr", force=True, form="apr") is None
    assert refusal(f"{tmp_path}/x.bin", force=True, form="apr") is None


@pytest.mark.parametrize("command", [["export", "--format", "apr"], ["stamp", "--license", "MIT"]])
def test_no_format_is_written_under_the_name_of_another(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.safetensors"
    assert cli.main([*command, str(SOURCE), "-o", str(out)]) == 2
    assert "no name for" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_who_stops_reading_changes_no_verdict(tmp_path: Path) -> None:
    """A pipe that nobody reads: `apr diff` ends as it would have ended."""
    copy = tmp_path / "x.gguf"
    copy.write_bytes(SOURCE.read_bytes())
    with copy.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    for other, code in ((SOURCE, 0), (copy, 1)):
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "pv_runtime.cli", "diff", str(SOURCE), str(other), "--values"]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        assert (done.returncode, done.stderr) == (code, b"")


def test_a_closed_output_is_an_error() -> None:
    command = f'"{sys.executable}" -m pv_runtime.cli inspect "{SOURCE}" >&-'
    done = subprocess.run(["/bin/sh", "-c", command], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 4
    assert b"no standard output" in done.stderr
    assert b"Traceback" not in done.stderr
