from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pv.worker_environment import worker_environment
from tests.pv.conftest import Project


def test_only_what_is_named_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "/models")
    monkeypatch.setenv("PYTHONHASHSEED", "17")
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    made = worker_environment()
    assert made["HF_HOME"] == "/models"
    assert made["PYTHONHASHSEED"] == "0"
    assert "SOMETHING_ELSE" not in made
    assert os.environ["PYTHONHASHSEED"] == "17"


def test_the_engine_is_found_in_it() -> None:
    program = "import importlib.util; print(importlib.util.find_spec('pv').origin)"
    found = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=worker_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    spec = importlib.util.find_spec("pv")
    assert spec is not None
    assert found.stdout.strip() == spec.origin


def test_packages_beside_the_interpreters_own_are_found_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("named", "unnamed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"module_that_is_{name}.py").touch()
    monkeypatch.setenv("PV_PACKAGES", str(tmp_path / "named"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "unnamed"))
    program = "import importlib.util, sys; print(*map(bool, map(importlib.util.find_spec, sys.argv[1:])))"
    found = subprocess.run(
        [sys.executable, "-P", "-c", program, "module_that_is_named", "module_that_is_unnamed"],
        env=worker_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["True", "False"]


SECRETS = {
    name: f"secret-of-{name.lower()}"
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"),
        *("ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET", "PGPASSWORD", "PIP_INDEX_URL", "NETRC"),
        *("SSH_AUTH_SOCK", "GPG_AGENT_INFO", "WANDB_API_KEY", "OPENAI_API_KEY", "DATABASE_URL", "http_proxy"),
        *("PV_LEDGER", "PYTHONSTARTUP", "LD_PRELOAD_", "DBUS_SESSION_BUS_ADDRESS", "CI_JOB_TOKEN"),
    )
}


def test_no_secret_of_the_caller_reaches_a_check_a_test_or_a_command(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    # What a process was started with is in /proc, whatever it does to its variables since.
    look = """
import os
from pathlib import Path

def seen():
    pids = [os.getpid(), os.getppid()]
    told = [Path(f"/proc/{pid}/environ").read_bytes().decode() for pid in pids] + [repr(dict(os.environ))]
    return sum("secret-of-" in text for text in told)
"""
    (project.root / "small_checks" / "seeing.py").write_text(
        f"{look}\n\nfrom pv.check import Metric, Run, check\n\n"
        '@check(metrics=[Metric("seen", kind="count")])\n'
        'def sees(run: Run) -> None:\n    run.record("seen", seen())\n'
    )
    (project.root / "tools").mkdir()
    (project.root / "tools" / "look.py").write_text(f"{look}\n\nraise SystemExit(seen())\n")
    (project.root / "tests").mkdir()
    (project.root / "tests" / "test_it.py").write_text(f"{look}\n\ndef test_it():\n    assert seen() == 0\n")
    common = {"rule": "r", "prediction": "p", "if_fails": "f", "needs": {"memory": "512 MiB"}}
    project.contract(
        {**common, "id": "FALSIFY-A-001", "check": "small_checks.seeing:sees", "expect": ["sum(seen) == 0"]},
        {
            **common,
            "id": "FALSIFY-A-002",
            "pytest": "tests/test_it.py::test_it",
            "expect": ["sum(passed) == 1"],
        },
        {
            **common,
            "id": "FALSIFY-A-003",
            "command": ["python3", "tools/look.py"],
            "metrics": [{"name": "exit_code", "kind": "count"}],
            "expect": ["sum(exit_code) == 0"],
        },
    )
    ended = project.pv("discharge", "contracts", "--json")
    told = {one["falsifier"].partition("#")[2]: one["verdict"] for one in ended.json}
    assert {name: verdict["outcome"] for name, verdict in told.items()} == dict.fromkeys(told, "Pass"), (
        ended.said
    )
    assert len(told) == 3
    assert not [name for name, data in project.evidence().items() if b"secret-of-" in data]


def test_what_a_check_may_open_has_a_bound(project: Project) -> None:
    (project.root / "small_checks" / "opening.py").write_text(
        "import resource\nfrom pv.check import Metric, Run, check\n\n"
        '@check(metrics=[Metric("files", kind="count"), Metric("core", kind="count")])\n'
        "def opens(run: Run) -> None:\n"
        '    run.record("files", resource.getrlimit(resource.RLIMIT_NOFILE)[1])\n'
        '    run.record("core", resource.getrlimit(resource.RLIMIT_CORE)[1])\n'
    )
    project.contract(
        check="small_checks.opening:opens",
        subjects=None,
        counter_examples=None,
        expect=["max(files) <= 8192 and sum(core) == 0"],
    )
    (told,) = project.pv("discharge", "contracts", "--json").json
    assert told["verdict"]["outcome"] == "Pass", told
