from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pv.exits import Exit
from tests.pv.conftest import CLAUSE, ROOT, Project
from tests.pv.staging import ADDRESS, CLAIM, TWO, claimed, commit, meaning, stage


@pytest.fixture(autouse=True)
def _no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def committed(copied: Project) -> Project:
    """A project whose falsifier is discharged and claims it, all of it committed."""
    return claimed(copied)


def test_a_comment_says_how_the_tally_moved(committed: Project) -> None:
    committed.contract(dict(CLAUSE) | {"id": TWO}, stem="other-v1")
    commit(committed)
    meaning(committed)
    stage(committed)
    ended = committed.pv("gate", "--format", "markdown")
    lines = ended.out.splitlines()
    assert lines[0] == "<!-- pv gate -->"
    assert "**1 + 1 → 0 + 2** (discharged + not yet)" in lines
    assert "\N{MINUS SIGN}1 DISCHARGED, &#43;1 STALE" in "\n".join(lines).replace(", +1", ", &#43;1")
    assert "#### What got stale" in lines


def test_text_of_a_contract_is_no_markup_in_a_comment(committed: Project) -> None:
    committed.contract(dict(CLAUSE) | CLAIM | {"id": "FALSIFY-<img src=x>-@team-|-`x`-001"}, stem="other-v1")
    stage(committed)
    out = committed.pv("gate", "--format", "markdown").out
    assert "<img" not in out
    assert "@team" not in out
    assert len(out) < 65_536


def test_reports_have_the_findings_and_a_result_for_each_falsifier(
    committed: Project, tmp_path: Path
) -> None:
    meaning(committed)
    committed.contract(dict(CLAUSE) | CLAIM, dict(CLAUSE) | {"id": TWO, "covers": ["NONE-1"]})
    stage(committed)
    files = {name: tmp_path / name for name in ("json", "sarif", "junit")}
    ended = committed.pv("gate", *(w for n, f in files.items() for w in ("--report", f"{n}:{f}")))
    assert ended.code == Exit.REJECTED
    report = json.loads(files["json"].read_text())
    assert report["ended"] == "rejected"
    assert {one["address"]: one["status"] for one in report["results"]} == {
        ADDRESS: "STALE",
        f"small-v1#{TWO}": "UNBOUND",
    }
    places = [one["file"] for one in report["findings"]] + [one["where"]["file"] for one in report["results"]]
    assert set(places) == {"contracts/small-v1.yaml"}
    assert "contracts/small-v1.yaml" in files["sarif"].read_text()


def test_every_key_of_the_document_is_documented(committed: Project, tmp_path: Path) -> None:
    meaning(committed)
    stage(committed)
    found = committed.pv("gate", "--json", "--run", "--comment", str(tmp_path / "comment.md"))
    text = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    section = text.partition("## The JSON of pv gate")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in row.replace("`", "").replace(",", "").split()} == set(found.json)
    inner = [
        *found.json["contracts"],
        *found.json["moved"][0],
        *found.json["stale"][0],
        *found.json["runs"][0],
    ]
    assert not {key for key in inner if f"`{key}`" not in section} - {"falsifier"}
    assert found.json["tally"] == {"before": {"DISCHARGED": 1}, "after": {"STALE": 1}}
    assert "**1 + 0 → 0 + 1**" in (tmp_path / "comment.md").read_text()
