from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
CORPUS = Path(__file__).parents[4] / "shared" / "corpus"


def files(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((project.root / "contracts").rglob("*.yaml"))}


def test_check_tells_and_writes_nothing(copied: Project) -> None:
    copied.contract(discharge_status="FUNCTIONAL")
    before = files(copied)
    ended = copied.pv("sync", "--check")
    assert ended.code == Exit.REJECTED
    place, summary = ended.out.splitlines()
    line = 1 + before["small-v1.yaml"].decode().splitlines().index("  discharge_status: FUNCTIONAL")
    assert place == (
        f"contracts/small-v1.yaml:{line}:21: {ID}: FUNCTIONAL to DISCHARGED, because: judged live"
    )
    assert summary == "1 status(es) would be written in 1 of 1 contract(s)"
    assert files(copied) == before


def test_writing_then_checking_accepts(copied: Project) -> None:
    ended = copied.pv("sync")
    assert ended.code == Exit.ACCEPTED
    assert f"{ID}: no status to DISCHARGED, because: judged live" in ended.out
    assert ended.out.endswith("1 status(es) written in 1 of 1 contract(s)\n")
    before = files(copied)
    for words in (("sync", "--check"), ("sync",), ("sync", ID), ("sync", "contracts"), ("sync", "--bump")):
        ended = copied.pv(*words)
        assert (ended.code, ended.err) == (Exit.ACCEPTED, "")
        assert ended.out == "1 of 1 contract(s) say what their evidence supports\n"
    assert files(copied) == before
    assert copied.pv("validate", "contracts").code == Exit.ACCEPTED


def test_json_says_the_same_alone(copied: Project) -> None:
    ended = copied.pv("sync", "--bump", "--date", "2026-11-20", "--json")
    (changed,) = ended.json["changed"]
    assert (changed["file"], changed["written"]) == ("contracts/small-v1.yaml", True)
    (status,) = changed["statuses"]
    assert (status["from"], status["to"], status["direction"]) == (None, "DISCHARGED", "stated")
    assert len(status["evidence"]) == 2
    assert (changed["version"]["from"], changed["version"]["to"]) == ("1.0.0", "1.0.1")
    text = files(copied)["small-v1.yaml"].decode()
    assert f"1.0.1 (2026-11-20): {changed['version']['changelog']}" in text
    assert copied.pv("sync", "--json").json == {"contracts": 1, "left_alone": 0, "changed": []}


def test_a_date_that_no_entry_would_have_is_refused(copied: Project) -> None:
    before = files(copied)
    ended = copied.pv("sync", "--date", "2026-11-20")
    assert (ended.code, "--date" in ended.err, files(copied)) == (Exit.USAGE, True, before)


@pytest.mark.parametrize("date", ["today", "2026-2-1", "20260201", "2026-02-30"])
def test_a_date_that_is_none_is_refused(copied: Project, date: str) -> None:
    before = files(copied)
    assert copied.pv("sync", "--bump", "--date", date).code == Exit.USAGE
    assert files(copied) == before


def test_a_contract_of_another_tool_is_left_alone(project: Project) -> None:
    clause = {"id": "F-1", "rule": "r", "prediction": "p", "if_fails": "f", "discharge_status": "DISCHARGED"}
    project.contract(clause, stem="other-v1")
    before = files(project)
    ended = project.pv("sync")
    assert ended.code == Exit.ACCEPTED
    assert "1 contract(s) left alone" in ended.out
    assert files(project) == before
    # Of itself alone nothing was judged, and nothing judged is not green.
    for words in (["sync", "contracts/other-v1.yaml"], ["sync", "--check", "contracts/other-v1.yaml"]):
        ended = project.pv(*words)
        assert (ended.code, ended.out) == (Exit.USAGE, "")
        assert "none of 1 contract(s) says how it is measured" in ended.err
    assert project.pv("sync", "--all", "--check").code == Exit.REJECTED
    assert project.pv("sync", "--all").code == Exit.ACCEPTED
    assert b"discharge_status: UNBOUND" in files(project)["other-v1.yaml"]


def test_one_that_cannot_be_written_does_not_stop_the_others(copied: Project) -> None:
    text = files(copied)["small-v1.yaml"].decode()
    path = copied.root / "contracts" / "a-v1.yaml"
    lines = text.replace(ID, "FALSIFY-A-001").replace("- id:", "- &a\n  id:").splitlines()
    path.write_text(
        "\n".join([*lines, "  discharge_status: &s DISCHARGED", "shared: *s", ""]), encoding="utf-8"
    )
    ended = copied.pv("sync")
    assert ended.code == Exit.REJECTED
    assert "contracts/a-v1.yaml:" in ended.err
    assert "error[EDIT-001]: discharge_status cannot be written here" in ended.err
    assert b"discharge_status: DISCHARGED" in files(copied)["small-v1.yaml"]
    assert "&s DISCHARGED" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("linked", ["contracts/small-v1.yaml", "contracts"])
@pytest.mark.parametrize("options", [("--bump",), ("--check",)], ids=" ".join)
def test_nothing_is_written_through_a_link_that_leads_out(
    copied: Project, tmp_path: Path, linked: str, options: tuple[str, ...]
) -> None:
    path, elsewhere = copied.root / linked, tmp_path / "another-repository" / linked
    elsewhere.parent.mkdir(parents=True)
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    (copied.root / ".git").mkdir()
    before = files(copied)
    with copied.start("sync", *options) as running:
        out, err = running.communicate(timeout=60)
    assert running.returncode == Exit.ERROR
    target = elsewhere if elsewhere.is_file() else elsewhere / "small-v1.yaml"
    assert f"contracts/small-v1.yaml:1:1: error: a link leads out of the repository, to {target}" in err
    assert "status(es) w" not in out
    assert files(copied) == before
    assert target.read_bytes() == before["small-v1.yaml"]


def test_a_link_within_the_repository_is_followed(copied: Project) -> None:
    path, elsewhere = copied.root / "contracts" / "small-v1.yaml", copied.root / "shared.yaml"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert copied.pv("sync").code == Exit.ACCEPTED
    assert "discharge_status: DISCHARGED" in elsewhere.read_text(encoding="utf-8")


def test_nothing_selected_is_a_usage_error(project: Project) -> None:
    assert project.pv("sync", "NOPE").code == Exit.USAGE
    (project.root / "contracts" / "small-v1.yaml").write_text(
        "metadata: {version: 1.0.0, description: d}\n", encoding="utf-8"
    )
    ended = project.pv("sync")
    assert ended.code == Exit.USAGE
    assert "the contracts have no falsifiers" in ended.err


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of outside contracts is not beside the project")
@pytest.mark.parametrize(("options", "code"), [((), Exit.USAGE), (("--all", "--bump"), Exit.ACCEPTED)])
def test_nothing_changes_in_outside_contracts(project: Project, options: tuple[str, ...], code: Exit) -> None:
    (project.root / "contracts" / "small-v1.yaml").unlink()
    for path in sorted(CORPUS.glob("*.yaml")):
        (project.root / "contracts" / path.name).write_bytes(path.read_bytes())
    before = files(project)
    ended = project.pv("sync", *options)
    assert ended.code == code, ended.said
    assert files(project) == before
