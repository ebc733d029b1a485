from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv import __version__
from pv.cli import COMMANDS
from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ROOT = Path(__file__).parents[2]


def test_help_names_every_command_and_its_own(project: Project) -> None:
    ended = project.pv("--help")
    assert ended.code == Exit.ACCEPTED
    for name, summary in COMMANDS.items():
        assert name in ended.out
        assert summary.split(";")[0].split()[0] in ended.out
        assert project.pv(name, "--help").code == Exit.ACCEPTED
    assert project.pv("--version").out == f"pv {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["discharge"], ["status", "--no-such"], ["evidence"]])
def test_a_wrong_command_line_is_a_usage_error(project: Project, arguments: list[str]) -> None:
    ended = project.pv(*arguments)
    assert ended.code == Exit.USAGE
    assert "usage: pv" in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("command", ["status", "evidence verify", "discharge X"])
def test_outside_of_a_project_it_says_what_to_do(project: Project, command: str) -> None:
    (project.root / "pv.toml").unlink()
    ended = project.pv(*command.split())
    assert ended.code == Exit.USAGE
    assert "no pv.toml here or above" in ended.err
    assert "run `pv init`" in ended.err


def test_what_the_system_refuses_is_one_message_and_an_error(project: Project) -> None:
    (project.root / "evidence").write_text("a file in the way", encoding="utf-8")
    ended = project.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == Exit.ERROR
    assert ended.err.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in ended.said


def test_a_defect_of_our_own_is_no_rejection(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("\x1b[31m")

    monkeypatch.setattr("pv.commands.status.load_config", broken)
    ended = project.pv("status")
    assert ended.code == Exit.ERROR
    assert ended.err.startswith("error: a defect of pv")
    assert "\x1b" not in ended.err


@pytest.mark.parametrize("arguments", [["--help"], ["validate", "contracts"]])
def test_nothing_heavy_and_no_check_is_imported(project: Project, arguments: list[str]) -> None:
    program = (
        "import sys\nfrom pv.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'torch', 'triton', 'rich', 'ruamel', 'small_checks', 'pv_runtime', 'pv_kernels'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)"
    )
    project.edit("contracts/small-v1.yaml", "  ship_blocking: true", "  discharge_status: DISCHARGED")
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.replace("error: Contract has 1 validation error(s)\n", "")) == (
        0,
        "",
    )


def test_a_reader_that_goes_away_is_no_traceback(project: Project) -> None:
    command = f"{sys.executable} -m pv --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=project.root, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_verdict(project: Project, closed: str) -> None:
    ended = subprocess.run(
        ["sh", "-c", f'"$0" -m pv discharge FALSIFY-SMALL-001 {closed}', sys.executable],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert project.status()[0] == "DISCHARGED"


@pytest.mark.parametrize(
    "arguments",
    [
        "validate contracts",
        "graph",
        "status",
        "--help",
        "--version",
        "discharge --help",
        "validate --help",
        "schema --help",
    ],
)
def test_a_full_disk_is_an_error_of_ours(project: Project, arguments: str) -> None:
    """What is left in a buffer is written again as the interpreter ends, which would then say 120."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run(
        ["bash", "-c", f"exec {sys.executable} -m pv {arguments} >/dev/full"],
        cwd=project.root,
        env=variables | {"PYTHONPATH": str(ROOT), "PV_NO_CACHE": "1"},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (Exit.ERROR, b"error: No space left on device\n")
