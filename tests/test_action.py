"""The action for GitHub: its form, and its scripts run for real against a stand-in for GitHub's API."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from tests.pv.conftest import Project

ROOT = Path(__file__).resolve().parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
SCRIPTS = sorted((ROOT / "deploy/github").glob("*.sh"))
STEPS = ACTION["runs"]["steps"]
RUN = [step for step in STEPS if "run" in step]


def test_the_action_has_the_form_of_a_composite_one() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert {"name", "description", "inputs", "outputs", "runs", "branding"} == set(ACTION)
    for step in STEPS:
        assert ("run" in step) != ("uses" in step)
        assert set(step) <= {"name", "id", "if", "shell", "run", "uses", "with", "env", "working-directory"}
        assert "run" not in step or step["shell"] == "bash"
    assert all(re.fullmatch(r"[\w/.-]+@v\d+", step["uses"]) for step in STEPS if "uses" in step)


def test_every_input_and_output_is_described_and_used_and_no_other() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    for one in (*ACTION["inputs"].values(), *ACTION["outputs"].values()):
        assert len(one["description"].split()) >= 4
        assert isinstance(one.get("default", ""), str)  # GitHub knows no other
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    pages = (ROOT / "docs/how-to/use-in-pre-commit-and-ci.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in pages for name in ACTION["inputs"])


def test_no_expression_stands_in_a_script() -> None:
    assert len(RUN) >= 4
    assert not [step["name"] for step in RUN if "${{" in step["run"]]
    for script in SCRIPTS:
        assert "${{" not in script.read_text(encoding="utf-8")


def test_every_variable_that_a_script_reads_is_passed_on_or_is_one_of_githubs() -> None:
    for step in RUN:
        for name in re.findall(r"deploy/github/(\w+\.sh)", step["run"]):
            text = (ROOT / "deploy/github" / name).read_text(encoding="utf-8")
            read = set(re.findall(r"\$\{?((?:PV|GITHUB|RUNNER)_\w+)", text))
            given = set(step.get("env", {}))
            assert {one for one in read if one.startswith("PV_")} <= given
            assert given <= read
    assert {script.name for script in SCRIPTS} == {
        name for step in RUN for name in re.findall(r"deploy/github/(\w+\.sh)", step["run"])
    }


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_scripts_are_bash_and_can_be_run(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


class GitHub(BaseHTTPRequestHandler):
    """As much of GitHub's API as comments need."""

    comments: ClassVar[list[dict[str, Any]]] = []
    asked: ClassVar[list[tuple[str, str, str | None]]] = []
    refuses: ClassVar[str] = ""

    def do_GET(self) -> None:
        found = re.fullmatch(r"/repos/o/r/issues/7/comments\?per_page=100&page=(\d+)", self.path)
        page = int(found[1]) if found else 0
        self._answer(self.comments[100 * (page - 1) : 100 * page] if found else None)

    def do_POST(self) -> None:
        body = self._body()
        new = {"id": 1000 + len(self.comments), "user": {"type": "Bot"}, **body}
        if self.refuses != "POST":
            self.comments.append(new)
        self._answer(new if self.path == "/repos/o/r/issues/7/comments" else None)

    def do_PATCH(self) -> None:
        body = self._body()
        found = [one for one in self.comments if self.path == f"/repos/o/r/issues/comments/{one['id']}"]
        for one in found:
            one.update(body)
        self._answer(found[0] if found else None)

    def _body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def _answer(self, document: Any) -> None:
        self.asked.append((self.command, self.path, self.headers.get("Authorization")))
        refused = self.command == self.refuses
        self.send_response(403 if refused else 404 if document is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps({} if refused or document is None else document).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    GitHub.comments.clear()
    GitHub.asked.clear()
    GitHub.refuses = ""
    with ThreadingHTTPServer(("127.0.0.1", 0), GitHub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def runner(tmp_path: Path) -> dict[str, str]:
    """The variables of a step on a runner of GitHub's."""
    (tmp_path / "temp").mkdir()
    program = tmp_path / "pv"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m pv "$@"\n')
    program.chmod(0o755)
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("GIT_", "PRE_COMMIT", "GITHUB"))}
    return kept | {
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_REPOSITORY": "o/r",
        "PV_PROGRAM": str(program),
        "PV_PATHS": "contracts\n",
        "PV_PULL_REQUEST": "7",
        "PV_PYTHON": sys.executable,
        "GITHUB_TOKEN": "secret-token",
    }


def step(name: str, folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    assert shutil.which("curl"), "curl is not installed: apt-get install curl"
    script = ROOT / "deploy/github" / f"{name}.sh"
    return subprocess.run(
        [script], cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=120
    )


def git(project: Project, *words: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *own, *words], cwd=project.root, env=kept, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def changed(tmp_path: Path) -> Project:
    """A branch that makes the one falsifier stale."""
    project = Project(tmp_path / "project")
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
    (project.root / ".gitignore").write_text(".pv/\n__pycache__/\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"], ["tag", "base"]):
        git(project, *words)
    path = project.root / "small_checks" / "wholeness.py"
    path.write_text(path.read_text() + "\nMORE = 1\n")
    git(project, "commit", "-qam", "more")
    return project


def outputs(variables: Mapping[str, str]) -> dict[str, str]:
    lines = Path(variables["GITHUB_OUTPUT"]).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.service
def test_a_change_is_judged_and_everything_is_written(changed: Project, runner: dict[str, str]) -> None:
    done = step("judge", changed.root, runner | {"PV_BASE": "base"})
    assert done.returncode == 0, done.stdout + done.stderr
    found = outputs(runner)
    assert found["exit"] == "0"
    assert "**1 + 0 → 0 + 1** (discharged + not yet)" in Path(found["comment"]).read_text()
    assert json.loads(Path(found["sarif"]).read_text())["version"] == "2.1.0"
    assert "::notice file=contracts/small-v1.yaml" in done.stdout
    summary = Path(runner["GITHUB_STEP_SUMMARY"]).read_text()
    assert "## pv gate" in summary
    assert "## pv status" in summary
    assert not (changed.root / "evidence-new").exists()


@pytest.mark.service
@pytest.mark.parametrize(
    ("variables", "ends"),
    [({"PV_STALE": "fail"}, "1"), ({"PV_PATHS": "none"}, "2"), ({"PV_BASE": "no-such-thing"}, "2")],
)
def test_the_worst_end_is_told(
    changed: Project, runner: dict[str, str], variables: dict[str, str], ends: str
) -> None:
    done = step("judge", changed.root, runner | {"PV_BASE": "base"} | variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs(runner)["exit"] == ends


@pytest.mark.service
def test_without_a_base_there_is_nothing_to_compare(changed: Project, runner: dict[str, str]) -> None:
    (changed.root / "contracts/bad-v1.yaml").write_text("metadata: [")
    done = step("judge", changed.root, runner)
    found = outputs(runner)
    assert (found["exit"], found["comment"]) == ("1", "")
    assert "::error file=contracts/bad-v1.yaml" in done.stdout


@pytest.mark.service
def test_nothing_that_an_input_says_is_executed(
    changed: Project, runner: dict[str, str], tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    nasty = f"x$(touch {marker})`touch {marker}`'; touch {marker} #\"; touch {marker}; --upload-pack=touch"
    for name in ("PV_BASE", "PV_PATHS", "PV_STALE", "PV_STRICT"):
        step("judge", changed.root, runner | {"PV_BASE": "base"} | {name: nasty})
    for name in ("PV_PULL_REQUEST", "PV_COMMENT"):
        step("comment", changed.root, runner | {"PV_COMMENT": "none", name: nasty})
    assert not marker.exists()


@pytest.mark.service
def test_text_of_a_contract_is_no_command_of_a_workflow(changed: Project, runner: dict[str, str]) -> None:
    changed.contract(rule="::error::no\n::set-output name=x::y", covers=["\n::add-mask::x"])
    for base in ("base", ""):
        done = step("judge", changed.root, runner | {"PV_BASE": base})
        outside, stopped = [], ""
        for line in (done.stdout + done.stderr).splitlines():
            if stopped:
                stopped = "" if line == f"::{stopped}::" else stopped
            elif line.startswith("::stop-commands::"):
                stopped = line.rpartition("::")[2]
            else:
                outside.append(line)
        assert stopped == ""
        commands = [line for line in outside if line.strip().startswith("::")]
        assert all(re.match(r"::(notice|warning|error) file=contracts/", line) for line in commands), commands


@pytest.mark.service
def test_the_comment_is_made_once_and_then_kept_up_to_date(
    tmp_path: Path, runner: dict[str, str], api: str
) -> None:
    text = tmp_path / "comment.md"
    text.write_text('<!-- pv gate -->\nfirst: 34 + 11 → 33 + 12 "quoted" $(id)\n')
    variables = runner | {"GITHUB_API_URL": api, "PV_COMMENT": str(text)}
    others: list[dict[str, Any]] = [
        {"id": n, "user": {"type": "User"}, "body": f"talk {n}"} for n in range(130)
    ]
    others[3]["body"] = "<!-- pv gate -->\na person's copy"
    others[4] |= {"body": "quoting <!-- pv gate -->", "user": {"type": "Bot"}}
    GitHub.comments += others
    done = step("comment", tmp_path, variables)
    assert done.returncode == 0, done.stderr
    assert GitHub.comments[-1]["body"] == text.read_text()
    text.write_text("<!-- pv gate -->\nsecond\n")
    done = step("comment", tmp_path, variables)
    assert done.returncode == 0, done.stderr
    assert len(GitHub.comments) == 131
    assert GitHub.comments[-1]["body"] == "<!-- pv gate -->\nsecond\n"
    assert others[3]["body"].endswith("a person's copy")
    assert {sent for _, _, sent in GitHub.asked} == {"Bearer secret-token"}
    assert "secret-token" not in done.stdout + done.stderr


@pytest.mark.service
@pytest.mark.parametrize("refuses", ["GET", "POST"])
def test_a_token_that_may_not_comment_fails_nothing(
    tmp_path: Path, runner: dict[str, str], api: str, refuses: str
) -> None:
    GitHub.refuses = refuses
    text = tmp_path / "comment.md"
    text.write_text("<!-- pv gate -->\n")
    done = step("comment", tmp_path, runner | {"GITHUB_API_URL": api, "PV_COMMENT": str(text)})
    assert done.returncode == 0, done.stderr
    assert "::notice" in done.stdout
    assert GitHub.comments == []


@pytest.mark.service
def test_the_action_installs_its_own_pv(tmp_path: Path, runner: dict[str, str]) -> None:
    clone = tmp_path / "action"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True, env=runner)
    done = step("install", tmp_path, runner | {"GITHUB_ACTION_PATH": str(clone)})
    assert done.returncode == 0, done.stderr
    program = tmp_path / "temp/pv-environment/bin/pv"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("pv ")
