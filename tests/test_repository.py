"""The repository itself: what is declared, what is shipped, and what must not be in it."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pv.config import load_config
from pv.evidence import read_record
from pv.verify import verify

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def tracked() -> list[Path]:
    """Return the files that git tracks; skip where this is no checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout, so nothing tells which files are the repository's")
    return [ROOT / name for name in os.fsdecode(done.stdout).split("\0") if name and (ROOT / name).is_file()]


def test_the_core_is_light() -> None:
    names = {re.split(r"[<>=\[ ]", line)[0].lower() for line in PROJECT["dependencies"]}
    assert names == {"pydantic", "pydantic-core", "pyyaml", "ruamel.yaml", "rich"}


@pytest.mark.parametrize(("name", "target"), PROJECT["scripts"].items())
def test_console_scripts_resolve(name: str, target: str) -> None:
    module, function = target.split(":")
    assert callable(getattr(importlib.import_module(module), function)), name


def test_every_target_of_the_makefile_is_in_its_help() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", text, re.MULTILINE))
    assert {"help", "discharge", "test", "check", "bench", "oracles", "models"} <= targets
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {line.split()[0] for line in done.stdout.splitlines() if line} == targets
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets


def test_continuous_integration_runs_what_a_person_types() -> None:
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert {"make check", "make test", "make discharge"} <= set(lines)


def test_the_licence_is_mit() -> None:
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_pinned_versions_cover_every_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    wanted = {re.split(r"[<>=\[ ]", line)[0].lower() for line in [*PROJECT["dependencies"], *extras]} - {"pv"}
    assert wanted - pinned == set()


def test_no_file_names_a_machine_or_a_person_s_folder() -> None:
    place = re.compile(rb"(?<![\w.])/(?:work|home/[a-z]|Users/[A-Za-z]|root/|tmp/bash)")
    recorded = re.compile(place.pattern + rb"|/tmp/")
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data[:4096] or path.name in {"tokenizer.json", "heldout.txt"} or path == Path(__file__):
            continue
        found += [
            f"{path.relative_to(ROOT)}: {match[0]!r}"
            for match in (recorded if path.is_relative_to(ROOT / "evidence") else place).finditer(data)
        ]
    assert found == []


def test_models_are_small_and_nothing_is_built_into_the_tree() -> None:
    for path in tracked():
        assert path.stat().st_size < 12_000_000, path
        assert path.suffix not in {".pyc", ".so", ".whl", ".pt"}, path


def test_contracts_are_our_own_words() -> None:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of other people's contracts is not on this machine")
    theirs = {hashlib.sha256(path.read_bytes()).digest(): path.name for path in CORPUS.rglob("*.y*ml")}
    assert theirs
    ours = [*(ROOT / "contracts").rglob("*.yaml"), *(ROOT / "pv/templates").glob("*.yaml")]
    assert len(ours) >= 3
    for path in ours:
        assert hashlib.sha256(path.read_bytes()).digest() not in theirs, path
    # Not a sentence of some length either: the ideas are shared, the words are not.
    keys = "property|prediction|if_fails|description"
    said = re.compile(rf'^\s*(?:- )?(?:{keys}): *"?(.{{40,}}?)"?$', re.MULTILINE)
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in CORPUS.rglob("*.y*ml")]
    sentences = {sentence for text in texts for sentence in said.findall(text)}
    assert sentences
    for path in ours:
        assert not sentences & set(said.findall(path.read_text(encoding="utf-8"))), path


def test_evidence_holds_only_records_and_these_verify() -> None:
    folder = load_config(ROOT).evidence
    files = [path for path in tracked() if path.is_relative_to(folder)]
    assert files, "no evidence is committed: run `make discharge` and add it"
    assert {path.suffix for path in files} == {".json"}
    # `make discharge` verifies all of them; one in twenty shows that a clone has them as they were written.
    for path in [path for path in files if not path.name.endswith(".series.json")][::20]:
        verify(read_record(path))


def test_the_hooks_run_commands_that_are_there() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == ["pv-validate", "pv-gate"]
    for hook in hooks:
        program, command = hook["entry"].split()
        assert program in PROJECT["scripts"]
        assert (ROOT / "pv/commands" / f"{command}.py").is_file()
    pattern = re.compile(hooks[0]["files"])
    assert pattern.search("contracts/tiny-qwen2-ship-v1.yaml")
    assert pattern.search("a/project/contracts/tiny-qwen2-ship-v1.yaml")
    assert not pattern.search("docs/contracts.yaml")
