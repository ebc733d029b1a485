"""A small project, to be discharged with real worker processes."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pv.cli import main
from pv.commitment import commitment
from pv.config import Config, load_config
from pv.contract import Contract, load_contract
from pv.evidence import statement, write_record
from pv.expression import measurements_from_json
from pv.verdict import judge
from pv.verify import metrics_from_json

ROOT = Path(__file__).parents[2]
RESOURCES = Path(__file__).parent / "resources" / "small"

CLAUSE: Mapping[str, Any] = {
    "id": "FALSIFY-SMALL-001",
    "rule": "The shipped numbers are nearly whole",
    "prediction": "none lies further than a quarter from a whole one",
    "if_fails": "the numbers were scaled",
    "check": "small_checks.wholeness:wholeness",
    "subjects": {"functional": {"numbers": "stand-in"}, "live": {"numbers": "shipped"}},
    "expect": ["max(distance) <= 0.25", "count(distance) == expected"],
    "counter_examples": ["one_half", "one_missing"],
    "needs": {"memory": "256 MiB", "timeout": "20 s"},
    "ship_blocking": True,
}
"""A falsifier that passes, live."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be JSON and nothing else."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Everything that was said."""
        return self.out + self.err


class Project:
    """A project in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(RESOURCES, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        self.pin()
        self.contract()

    def pin(self) -> None:
        """Pin the bytes of the two subjects that are here."""
        text = (RESOURCES / "pv.toml").read_text(encoding="utf-8")
        for name in ("shipped", "stand-in"):
            digest = hashlib.sha256((self.root / "data" / f"{name}.txt").read_bytes()).hexdigest()
            text = text.replace(f"{{{name}}}", digest)
        (self.root / "pv.toml").write_text(text, encoding="utf-8")

    def contract(self, *clauses: Mapping[str, Any], stem: Any = "small-v1", **changes: Any) -> Path:
        """Write a contract of `clauses`, or of the usual one with `changes`; None takes a key out."""
        listed = [dict(clause) for clause in clauses] or [dict(CLAUSE) | changes]
        listed = [{key: value for key, value in clause.items() if value is not None} for clause in listed]
        metadata = {"version": "1.0.0", "description": "numbers", "references": ["a book"], "kind": "pattern"}
        path = self.root / "contracts" / f"{stem}.yaml"
        path.parent.mkdir(exist_ok=True)
        document = {"metadata": metadata, "falsification_tests": listed}
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the one place where `old` stands in a file."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def pv(self, *arguments: str | Path) -> Ended:
        """Run a command in this process; checks run in processes of their own."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.root), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Ended(code, out.getvalue(), err.getvalue())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        # A shell has its background jobs ignore SIGINT, and children inherit that; a handler they do not.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return subprocess.Popen(
            [sys.executable, "-m", "pv", *arguments],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def status(self, identifier: str = "FALSIFY-SMALL-001") -> tuple[str, str]:
        """Return the derived status of a falsifier, and the reason."""
        ended = self.pv("status", identifier, "--format", "json")
        assert ended.code == 0, ended.said
        row = ended.json["falsifiers"][0]
        return row["status"], row["reason"]

    def evidence(self) -> dict[str, bytes]:
        """Return the bytes of every file of evidence, by path below the evidence folder."""
        folder = self.root / "evidence"
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    def record(self, level: str = "live", identifier: str = "FALSIFY-SMALL-001") -> Path:
        """Return the one record at `level`."""
        found = sorted((self.root / "evidence" / "small-v1" / identifier).glob(f"{level}-*-cpu.json"))
        assert len(found) == 1, found
        return found[0]

    def config(self) -> Config:
        """Load the configuration."""
        return load_config(self.root)

    def load(self, stem: str = "small-v1") -> Contract:
        """Load a contract."""
        return load_contract(self.root / "contracts" / f"{stem}.yaml")

    def copy(self, root: Path) -> Project:
        """Copy it as it stands to the folder `root`, which is not there yet."""
        copy = Project.__new__(Project)
        copy.root = root
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("__pycache__"))
        return copy


def restamp(data: bytes, changes: Mapping[str, Any]) -> bytes:
    """Return a record with other values in its predicate, by dotted key, sealed again."""
    predicate = json.loads(data)["predicate"]
    del predicate["seal"]
    for key, value in changes.items():
        *way, last = key.split(".")
        part = predicate
        for step in way:
            part = part[step]
        part[last] = value
    if "commitment" in predicate:
        predicate["commitment"] = commitment(predicate["measurements"])
    return json.dumps(statement(predicate), indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


@pytest.fixture(name="restamp")
def restamp_fixture() -> Callable[[bytes, Mapping[str, Any]], bytes]:
    """Return :func:`restamp`: another run of the same, to be told from it by what was changed."""
    return restamp


def lengthen(project: Project, value: float = 0.0) -> Path:
    """Give the live record a series so long that it lies in a sidecar; it still verifies."""
    path = project.record()
    predicate = json.loads(path.read_bytes())["predicate"]
    del predicate["seal"]
    predicate.pop("commitment", None)  # without labels, there is nothing to draw
    count = 70_000
    predicate["measurements"] = {"distance": {"values": [value] * count}, "expected": {"values": [count]}}
    metrics = metrics_from_json(predicate["rule"]["metrics"])
    measured = measurements_from_json(predicate["measurements"])
    predicate["verdict"] = judge(predicate["rule"]["lines"], measured, metrics).to_json()
    write_record(path, predicate)
    return path


def forge(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit what a record says was measured, with a verdict, a commitment and a seal that fit it."""
    predicate = json.loads(path.read_bytes())["predicate"]
    del predicate["seal"]
    edit(predicate["measurements"])
    metrics = metrics_from_json(predicate["rule"]["metrics"])
    measured = measurements_from_json(predicate["measurements"])
    predicate["verdict"] = judge(predicate["rule"]["lines"], measured, metrics).to_json()
    if "commitment" in predicate:
        predicate["commitment"] = commitment(predicate["measurements"])
    write_record(path, predicate)


@pytest.fixture(name="forge")
def forge_fixture() -> Callable[..., None]:
    """Return :func:`forge`."""
    return forge


@pytest.fixture(name="lengthen")
def lengthen_fixture() -> Callable[..., Path]:
    """Return :func:`lengthen`."""
    return lengthen


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project of one test."""
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def discharged_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project whose falsifier is discharged, of which each module has a copy."""
    made = Project(tmp_path_factory.mktemp("once") / "project")
    ended = made.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 0, ended.said
    return made


@pytest.fixture(scope="module")
def discharged(discharged_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project whose falsifier is discharged, shared by a module: do not change it."""
    return discharged_once.copy(tmp_path_factory.mktemp("shared") / "project")


@pytest.fixture
def copied(discharged: Project, tmp_path: Path) -> Project:
    """A copy of the discharged project, to be changed at will."""
    return discharged.copy(tmp_path / "copy")
