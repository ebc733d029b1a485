from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.exits import Exit
from pv.rewrites import old_spellings
from pv.rewritten_file import rewrite_file
from pv.sync import SyncError
from tests.pv.conftest import CLAUSE

if TYPE_CHECKING:
    from tests.pv.conftest import Project

OLD = """\
# kept
metadata: {version: "1.0.0", description: x, references: [a book], kind: pattern}
falsification_tests:
- id: FALSIFY-OLD-001
  description: r # kept
  expected: p
  if_fails: f
"""
NEW = OLD.replace("description: r", "rule: r").replace("expected", "prediction")


@pytest.fixture
def old(project: Project) -> Path:
    path = project.root / "contracts" / "old-v1.yaml"
    path.write_text(OLD, encoding="utf-8")
    return path


def test_old_spellings_are_written_anew_and_told(project: Project, old: Path) -> None:
    other = (project.root / "contracts" / "small-v1.yaml").read_bytes()
    ended = project.pv("migrate", "contracts")
    assert (ended.code, ended.err) == (Exit.ACCEPTED, "")
    assert ended.out == (
        "contracts/old-v1.yaml:5:3: description is now rule\n"
        "contracts/old-v1.yaml:6:3: expected is now prediction\n"
        "2 spelling(s) rewritten in 1 of 2 contract(s)\n"
    )
    assert old.read_text(encoding="utf-8") == NEW
    assert (project.root / "contracts" / "small-v1.yaml").read_bytes() == other
    again = project.pv("migrate", "contracts")
    assert (again.code, again.err) == (Exit.ACCEPTED, "")
    assert again.out == "2 contract(s) have no old spelling that can be rewritten\n"


def test_a_dry_run_shows_the_difference_and_writes_nothing(project: Project, old: Path) -> None:
    ended = project.pv("migrate", "contracts", "--dry-run")
    assert ended.code == Exit.REJECTED
    assert ended.out == (
        "--- contracts/old-v1.yaml\n+++ contracts/old-v1.yaml\n@@ -2,6 +2,6 @@\n"
        ' metadata: {version: "1.0.0", description: x, references: [a book], kind: pattern}\n'
        " falsification_tests:\n - id: FALSIFY-OLD-001\n"
        "-  description: r # kept\n-  expected: p\n+  rule: r # kept\n+  prediction: p\n   if_fails: f\n"
        "2 spelling(s) would be rewritten in 1 of 2 contract(s)\n"
    )
    checked = project.pv("migrate", "contracts", "--check")
    assert checked.code == Exit.REJECTED
    assert "contracts/old-v1.yaml:5:3: description is now rule" in checked.out
    assert old.read_text(encoding="utf-8") == OLD
    assert project.pv("migrate", "contracts").code == Exit.ACCEPTED
    for look in ("--dry-run", "--check"):
        assert project.pv("migrate", "contracts", look).code == Exit.ACCEPTED


def test_json_is_alone_on_stdout(project: Project, old: Path) -> None:
    old.write_text(f"kind: pattern\n{OLD}".replace(", kind: pattern}", "}"), encoding="utf-8")
    for words in (["--format", "json", "--check"], ["--json"]):
        shown = project.pv("migrate", "contracts", *words).json
        assert shown["contracts"] == 2
        (one,) = shown["files"]
        assert (one["file"], one["written"], one["stale"]) == (
            "contracts/old-v1.yaml",
            "--check" not in words,
            [],
        )
        assert one["rewrites"][0] == {"line": 6, "column": 3, "what": "description is now rule"}
        assert [left["what"] for left in one["left"]] == ["kind is now metadata.kind"]
        # Between braces there is no line to move it to.
        assert "cannot be written here without changing something else" in one["left"][0]["why"]


def test_what_is_left_is_told_and_rejects_nothing(project: Project, old: Path) -> None:
    old.write_text(NEW + "falsifiers: [{id: A}]\n", encoding="utf-8")
    ended = project.pv("migrate", "contracts", "--check")
    assert ended.code == Exit.ACCEPTED
    assert ended.err.startswith(
        "contracts/old-v1.yaml:8:1: note: left as it is (falsifiers is now falsification_tests): "
    )


def test_files_that_do_not_load_are_told_and_do_not_stop_the_others(project: Project, old: Path) -> None:
    folder = project.root / "contracts"
    (folder / "a.yaml").write_text("a: [", encoding="utf-8")
    (folder / "b.yaml").write_text("metadata: {version: 1}\nx: {expected: 1}\n", encoding="utf-8")
    (folder / "c.yaml").write_text("bindings: []\ntarget_crate: x\n", encoding="utf-8")
    ended = project.pv("migrate", "contracts")
    assert ended.code == Exit.REJECTED
    assert "contracts/a.yaml:2:1: error[YAML-001]" in ended.err
    assert "contracts/b.yaml:1:21: error[SCHEMA-000]" in ended.err
    assert "contracts/c.yaml: note: this is a binding registry, not a contract" in ended.err
    assert old.read_text(encoding="utf-8") == NEW
    assert project.pv("migrate", "contracts/c.yaml").code == Exit.USAGE
    assert project.pv("migrate", "nowhere").code == Exit.USAGE


def test_the_file_keeps_its_mode_and_a_link_its_target(project: Project, old: Path) -> None:
    old.chmod(0o640)
    target = project.root / "elsewhere.yaml"
    target.write_bytes(OLD.replace("\n", "\r\n").encode())
    link = project.root / "contracts" / "link-v1.yaml"
    link.symlink_to(target)
    assert project.pv("migrate", "contracts").code == Exit.ACCEPTED
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert target.read_bytes() == NEW.replace("\n", "\r\n").encode()
    assert sorted(path.name for path in old.parent.iterdir()) == [
        "link-v1.yaml",
        "old-v1.yaml",
        "small-v1.yaml",
    ]


@pytest.mark.parametrize("words", [("migrate",), ("validate", "--fix")], ids=" ".join)
def test_nothing_is_written_through_a_link_that_leads_out(
    project: Project, old: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    target = tmp_path / "another-repository.yaml"
    target.write_text(OLD, encoding="utf-8")
    old.unlink()
    old.symlink_to(target)
    ended = project.pv(*words, "contracts")
    assert target.read_text(encoding="utf-8") == OLD
    assert f"a link that leads out of the repository, to {target}; name that" in ended.err
    assert "is now" not in ended.out
    project.pv("migrate", target)
    assert target.read_text(encoding="utf-8") == NEW


def test_a_file_that_was_saved_meanwhile_is_not_written(old: Path) -> None:
    found = rewrite_file(old, old_spellings)
    old.write_text("saved", encoding="utf-8")
    with pytest.raises(SyncError, match="was changed while"):
        found.write()
    assert old.read_text(encoding="utf-8") == "saved"
    assert sorted(path.name for path in old.parent.iterdir()) == ["old-v1.yaml", "small-v1.yaml"]


def test_evidence_is_not_stale_for_a_rewrite(project: Project) -> None:
    aliases = {"rule": "description", "prediction": "expected", "if_fails": "fails_if"}
    path = project.contract({aliases.get(key, key): value for key, value in CLAUSE.items()})
    assert project.pv("discharge", CLAUSE["id"]).code == Exit.ACCEPTED
    assert project.pv("sync").code == Exit.ACCEPTED
    before = path.read_text(encoding="utf-8")
    ended = project.pv("migrate", "contracts")
    assert (ended.code, ended.err) == (Exit.ACCEPTED, "")
    assert path.read_text(encoding="utf-8") != before
    assert project.status()[0] == "DISCHARGED"
    assert project.pv("validate", "--strict", "contracts").code == Exit.ACCEPTED
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
