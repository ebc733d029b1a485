from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pv_runtime import cli
from pv_runtime.formats import Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors

ROOT = Path(__file__).resolve().parents[2]


def apr(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pv_runtime.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys; from pv_runtime import cli\n"
        "for words in (['--help'], ['--version'], ['inspect', '--help']): assert cli.main(words) == 0\n"
        "heavy = {'numpy', 'torch', 'triton', 'numba', 'gguf', 'safetensors', 'pydantic'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"inspect" in done.stdout


def test_the_version_is_looked_up_only_when_asked_for() -> None:
    code = (
        "import sys; from pv_runtime import cli; cli.main(['inspect'])\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "assert cli.main(['--version']) == 0\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"apr ")


def test_the_version_for_programs_says_where_a_run_can_compute(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    assert cli.main(["--version", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["torch"] == torch.__version__
    assert said["cuda_feature"] is (torch.version.cuda is not None)
    assert said["cuda_runtime_available"] is torch.cuda.is_available()
    assert len(said["visible_devices"]) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)


@pytest.mark.parametrize("words", [[], ["--json"], ["--version", "inspect", "x"], ["--json", "inspect", "x"]])
def test_options_of_the_program_stand_alone_and_nothing_is_done_without_a_command(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "a COMMAND is needed" in told.err or "--version" in told.err


def test_the_version_ends_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("apr ")


def test_endings(model_folder: Path, tmp_path: Path) -> None:
    good = apr("inspect", str(model_folder))
    assert (good.returncode, good.stderr) == (0, "")
    (tmp_path / "broken").write_bytes(b"\0" * 100)
    broken = apr("inspect", str(tmp_path / "broken"))
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr.startswith(f"error: {tmp_path / 'broken'}: the header's length 0")
    missing = apr("inspect", str(tmp_path / "missing"))
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == f"error: {tmp_path / 'missing'}: there is no such file\n"
    assert "Traceback" not in broken.stderr + missing.stderr


def test_wrong_command_lines_are_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert cli.main(["inspect"]) == 2
    assert cli.main(["nonsense"]) == 2
    assert "usage: apr" in capsys.readouterr().err


def test_a_fault_of_our_own_is_an_error(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> dict[str, object]:
        raise ZeroDivisionError

    monkeypatch.setattr("pv_runtime.commands.inspect.describe", broken)
    assert cli.main(["inspect", str(model_folder)]) == 4
    assert "fault in apr itself" in capsys.readouterr().err


def test_without_the_runtime_extra_the_message_names_it(model_folder: Path) -> None:
    program = "import sys; sys.modules['torch'] = None; from pv_runtime.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "run", str(model_folder), "a prompt"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 4
    assert done.stderr == (
        "error: torch is not installed, and apr needs it\n    install the extra: pip install 'pv[runtime]'\n"
    )


def test_without_the_formats_extra_the_message_names_it(tmp_path: Path) -> None:
    # -S leaves site-packages out, as on a machine that has the core alone.
    program = "import sys; from pv_runtime.cli import main; sys.exit(main(['inspect', 'x']))"
    paths = os.pathsep.join(str(ROOT / folder) for folder in (".", "runtime"))
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": paths},
        cwd=tmp_path,
    )
    assert done.returncode == 4
    assert done.stderr == (
        "error: numpy is not installed, and apr needs it\n    install the extra: pip install 'pv[formats]'\n"
    )


def test_a_folder_that_is_half_written_goes_when_the_program_is_terminated(tmp_path: Path) -> None:
    """The source is large enough to be written for a while, and the signal comes within it."""
    rows = 1 << 17
    wide = from_values(
        "model.embed_tokens.weight", (rows, 256), lambda: np.ones((rows, 256), np.float32), "F32"
    )
    source = Path(__file__).resolve().parents[2] / "models/tiny-qwen2"
    model = Overlay(open_checkpoint(source), replace={wide.info.name: wide})
    (tmp_path / "a").mkdir()
    write_safetensors(
        str(tmp_path / "a/model.safetensors"),
        [(model.info(name), lambda name=name: model.raw(name)) for name in model.names()],  # type: ignore[misc]
    )
    config = json.loads((source / "config.json").read_text())
    (tmp_path / "a/config.json").write_text(json.dumps({**config, "vocab_size": rows}))
    out = tmp_path / "out"
    out.mkdir()
    command = ["export", str(tmp_path / "a"), "--format", "safetensors", "-o", str(out / "b")]
    with subprocess.Popen([sys.executable, "-m", "pv_runtime.cli", *command]) as process:
        # Once something is in the hidden folder: what the system makes before Python knows of it stays.
        while not list(out.glob(".*/*")) and process.poll() is None:
            time.sleep(0.001)
        process.terminate()
    assert process.returncode == 143
    assert list(out.iterdir()) == []
