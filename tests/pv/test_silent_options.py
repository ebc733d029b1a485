"""An option of ``pv`` that nothing would use, or that cannot be meant, stops the command; nothing is written.

What would happen if an option were ignored is shown by ``OPTION_IGNORED``, which leaves one out, and
``OPTION_UNNAMED``, which takes the message away: then tests here must fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
PLANNED = [
    ["--select", "status"], ["--since", "HEAD"], ["--stale-only"], ["--lf"], ["--level", "auto"],
    ["--device", "auto"], ["--seed", "0"], ["--force"], ["--no-record"], ["--shuffle", "1"],
    ["--executor", "local"], ["--set", "nodes=1"], ["--dry-run"], ["--base", "HEAD"],
]  # fmt: skip
"""What a sweep that goes on was planned with already."""
CASES: list[tuple[list[str], list[str]]] = [
    *((["sweep", "--resume"], given) for given in PLANNED),
    (["sweep", "--dry-run"], ["--retry"]),
    (["sweep", "--dry-run"], ["--set", "nodes=1"]),
    (["sweep", "--dry-run"], ["--device", "gpu"]),
    (["sweep", "--dry-run"], ["--jobs", "0"]),
    (["sweep", "--dry-run"], ["--max-fail", "0"]),
    (["sync"], ["--date", "2026-11-20"]),
    (["sync", "--bump"], ["--date", "today"]),
    (["sweep", "--dry-run"], ["--trust"]),
    (["sweep", "--dry-run", "--base", "HEAD"], ["--trust"]),
    (["discharge", ID], ["--trust"]),
    (["gate"], ["--trust"]),
    (["gate", "--run"], ["--trust"]),
    (["gate"], ["--budget", "30s"]),
    (["gate", "--no-run"], ["--budget", "30s"]),
    (["gate"], ["--from-ref", "HEAD"]),
    (["gate"], ["--to-ref", "HEAD"]),
    (["discharge", ID], ["--device", "gpu"]),
    (["discharge", ID], ["--subject", "stand-in=data/shipped.txt"]),
    (["discharge", ID], ["--subject", "nothing=data/shipped.txt"]),
    (["evidence", "history", ID], ["--last", "0"]),
    (["evidence", "history", ID, "--json"], ["--last", "5"]),
    (["evidence", "ledger"], ["--head", "0" * 64]),
    (["evidence", "ledger", "verify"], ["--head", "0"]),
    (["evidence", "ledger", "verify"], ["--from", "folder"]),
    (["evidence", "audit", ID], ["--share", "0"]),
    (["evidence", "audit", ID], ["--tolerance", "2"]),
    (["evidence", "reproduce", ID], ["--subject", "shipped"]),
    (["scaffold", "contracts"], ["--into", "a-b"]),
    (["waivers", "list"], ["--on", "today"]),
    (["status"], ["--report", "none"]),
    (["validate", "contracts"], ["--write-baseline"]),
    (["validate", "contracts"], ["--baseline", "nowhere.json"]),
    (["coverage"], ["--minimum", "101"]),
    (["roofline"], ["--bits", "4"]),
    (["roofline"], ["--batch", "2"]),
    (["roofline"], ["--dtype", "bf16"]),
    (["roofline", "--params", "7e9", "--hardware", "h200"], ["--context", "8"]),
    (["fetch", "shipped"], ["--all"]),
]


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty repository with one commit, to be copied."""
    folder = tmp_path_factory.mktemp("repository")
    name = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for words in (["init", "-q"], [*name, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(("line", "given"), CASES, ids=" ".join)
def test_an_option_that_nothing_would_use_stops_the_command(
    project: Project, repository: Path, line: list[str], given: list[str]
) -> None:
    project.contract(
        {**project.load().falsifiers[0].raw, "subjects": {"live": {"numbers": "shipped"}}},
        {"id": "FALSIFY-SMALL-002", "rule": "r", "prediction": "p", "if_fails": "f"},
    )
    if line[0] == "gate":
        shutil.copytree(repository / ".git", project.root / ".git")
    before = files(project.root)
    words = [] if os.environ.get("OPTION_IGNORED") == given[0] else given
    ended = project.pv(*line, *words)
    said = "" if os.environ.get("OPTION_UNNAMED") else ended.err
    assert ended.code != 0
    assert given[0] in said
    assert ended.out == ""
    assert files(project.root) == before
