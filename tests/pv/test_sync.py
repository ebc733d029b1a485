from __future__ import annotations

import datetime as dt
import difflib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.changelog import VersionError
from pv.config import Config, load_config
from pv.contract import load_contract
from pv.document import parse
from pv.edit import Put, edit_text
from pv.exits import Exit
from pv.status import derive
from pv.sync import SyncError, plan_sync, write_sync

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
DAY = dt.date(2026, 11, 20)


def text_of(project: Project) -> str:
    return (project.root / "contracts" / "small-v1.yaml").read_text(encoding="utf-8")


def sync(project: Project, *, bump: bool = False) -> list[str]:
    """Synchronise the contract; return the lines taken out and put in."""
    before = text_of(project).splitlines()
    contract = project.load()
    synced = plan_sync(contract, contract.falsifiers, project.config(), bump=bump, day=DAY)
    write_sync(synced)
    again = project.load()
    assert not plan_sync(again, again.falsifiers, project.config(), bump=bump, day=DAY).changed
    return [line for line in difflib.ndiff(before, text_of(project).splitlines()) if line[0] in "+-"]


def test_what_evidence_supports_is_added_as_the_last_key(copied: Project) -> None:
    contract = copied.load()
    before = derive(contract, contract.falsifiers[0], copied.config())
    assert sync(copied) == ["+   discharge_status: DISCHARGED"]
    contract = copied.load()
    assert derive(contract, contract.falsifiers[0], copied.config()) == before


def test_what_fell_is_written_down_and_what_rose_up(copied: Project) -> None:
    copied.contract(discharge_status="FUNCTIONAL")
    assert sync(copied) == ["-   discharge_status: FUNCTIONAL", "+   discharge_status: DISCHARGED"]
    copied.contract(discharge_status="DISCHARGED", expect=["max(distance) <= 0.3"])
    assert sync(copied) == ["-   discharge_status: DISCHARGED", "+   discharge_status: STALE"]


@pytest.mark.parametrize("changes", [{}, {"check": None}, {"excluded": "a process rule"}])
def test_where_nothing_was_measured_nothing_is_added(project: Project, changes: dict[str, object]) -> None:
    project.contract(**changes)
    assert sync(project) == []
    project.contract(**changes, discharge_status="DISCHARGED")
    name = "EXCLUDED" if "excluded" in changes else "UNBOUND"
    assert sync(project) == ["-   discharge_status: DISCHARGED", f"+   discharge_status: {name}"]


def test_only_the_falsifiers_that_are_asked_for(copied: Project) -> None:
    contract = copied.load()
    assert not plan_sync(contract, [], copied.config()).changed


def test_a_bump_raises_the_version_and_says_on_which_evidence(copied: Project) -> None:
    copied.contract(discharge_status="FUNCTIONAL")
    lines = sync(copied, bump=True)
    records = ", ".join(
        f"evidence/small-v1/{ID}/{name}-cpu.json" for name in ("algorithm-stand-in", "live-shipped")
    )
    logged = f"1.0.1 (2026-11-20): {ID} promoted from FUNCTIONAL to DISCHARGED on {records}: judged live"
    assert lines == [
        "-   version: 1.0.0",
        "+   version: 1.0.1",
        "+   changelog:",
        f'+     - "{logged}"',
        "-   discharge_status: FUNCTIONAL",
        "+   discharge_status: DISCHARGED",
    ]
    contract = copied.load()
    assert derive(contract, contract.falsifiers[0], copied.config()).name == "DISCHARGED"


def test_a_clause_that_changed_since_its_evidence_raises_the_minor_version(copied: Project) -> None:
    copied.contract(discharge_status="STALE", prediction="none lies further than that")
    (minus, plus, _, logged) = sync(copied, bump=True)
    assert (minus, plus) == ("-   version: 1.0.0", "+   version: 1.1.0")
    assert f'"1.1.0 (2026-11-20): clause changed: {ID}"' in logged


def test_a_bump_settles_the_rule_that_asks_for_one(copied: Project) -> None:
    copied.contract(prediction="none lies further than that", discharge_status="DISCHARGED")
    assert copied.pv("discharge", ID).code == Exit.ACCEPTED
    refused = copied.pv("validate", "contracts")
    assert "PV-VERSION-001" in refused.out, refused.said
    ended = copied.pv("sync", "--bump")
    assert ended.code == Exit.ACCEPTED
    assert "version 1.0.0 to 1.1.0" in ended.out
    assert copied.pv("validate", "contracts").code == Exit.ACCEPTED
    assert copied.pv("sync", "--bump", "--check").code == Exit.ACCEPTED
    assert copied.status()[0] == "DISCHARGED"


def test_without_a_change_nothing_is_bumped(copied: Project) -> None:
    copied.contract(discharge_status="DISCHARGED")
    assert sync(copied, bump=True) == []


def test_a_version_that_cannot_be_raised_leaves_the_file_alone(copied: Project) -> None:
    copied.edit("contracts/small-v1.yaml", "version: 1.0.0", "version: 1.0.0-rc.1")
    before = text_of(copied)
    contract = copied.load()
    with pytest.raises(VersionError):
        plan_sync(contract, contract.falsifiers, copied.config(), bump=True)
    assert text_of(copied) == before


def test_a_contract_that_changed_meanwhile_is_not_written(copied: Project) -> None:
    contract = copied.load()
    synced = plan_sync(contract, contract.falsifiers, copied.config())
    copied.edit("contracts/small-v1.yaml", "description: numbers", "description: figures")
    before = text_of(copied)
    with pytest.raises(SyncError) as caught:
        write_sync(synced)
    assert caught.value.exit == Exit.ERROR
    with pytest.raises(SyncError):
        plan_sync(contract, contract.falsifiers, copied.config())
    (copied.root / "contracts" / "small-v1.yaml").write_text("[", encoding="utf-8")
    with pytest.raises(SyncError):
        plan_sync(contract, contract.falsifiers, copied.config())
    copied.contract(description="x")
    assert text_of(copied) != before
    assert sorted(path.name for path in (copied.root / "contracts").iterdir()) == ["small-v1.yaml"]


def test_mode_and_link_stay(copied: Project) -> None:
    path = copied.root / "contracts" / "small-v1.yaml"
    target = copied.root / "elsewhere.yaml"
    path.rename(target)
    target.chmod(0o640)
    path.symlink_to(target)
    assert sync(copied) == ["+   discharge_status: DISCHARGED"]
    assert path.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert not list(copied.root.rglob("*.tmp"))


def test_a_folder_that_cannot_be_written_keeps_its_file(
    copied: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = copied.load()
    synced = plan_sync(contract, contract.falsifiers, copied.config())
    before = text_of(copied)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_sync(synced)
    assert text_of(copied) == before
    assert sorted(path.name for path in (copied.root / "contracts").iterdir()) == ["small-v1.yaml"]


OURS = sorted((ROOT / "contracts").glob("*.yaml"))
ALLOWED = re.compile(
    r"[-+] +(discharge_status: [A-Z_]+|version: .*|changelog:|- \"\d+\.\d+\.\d+ \(2026-11-20\): .*"
    r"|\"\d+\.\d+\.\d+\": \"2026-11-20: .*)"
)


@pytest.fixture(scope="module")
def ours() -> Config:
    """The configuration of this repository, which remembers what it has read of sources and artefacts."""
    return load_config(ROOT)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_in_our_contracts_only_status_version_and_changelog_change(
    path: Path, ours: Config, tmp_path: Path
) -> None:
    copy = tmp_path / path.name
    # Without their statuses, so that there is something to write whatever the tree holds.
    bare = re.sub(r"^ +discharge_status: .*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    copy.write_text(bare, encoding="utf-8")

    contract = load_contract(copy)
    synced = plan_sync(contract, contract.falsifiers, ours, bump=True, day=DAY)
    write_sync(synced)
    contract = load_contract(copy)
    now = [derive(contract, falsifier, ours).name for falsifier in contract.falsifiers]
    # As they were derived before anything was written; of what was not measured, nothing is said.
    before = {change.falsifier: change.after for change in synced.changes}
    unsaid = ["EXCLUDED" if falsifier.excluded else "UNBOUND" for falsifier in contract.falsifiers]
    names = [falsifier.id for falsifier in contract.falsifiers]
    assert now == [before.get(name, other) for name, other in zip(names, unsaid, strict=True)]
    assert not plan_sync(contract, contract.falsifiers, ours, bump=True, day=DAY).changed
    after = copy.read_text(encoding="utf-8")
    changed = [line for line in difflib.ndiff(bare.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert [line for line in changed if not ALLOWED.fullmatch(line)] == []
    written = [falsifier.discharge_status for falsifier in contract.falsifiers]
    assert any(written)
    assert written == [before.get(name) for name in names]
    assert not {"UNBOUND", "EXCLUDED"} & {*written}


def assert_can_be_written_and_taken_out(path: Path) -> None:
    text = path.read_bytes().decode("utf-8")
    bare = re.sub(r"^ +discharge_status: .*\n", "", text, flags=re.MULTILINE)
    listed = parse(bare, path.name).value.get("falsification_tests") or []
    edits = [Put(("falsification_tests", i, "discharge_status"), "UNBOUND") for i in range(len(listed))]
    written = edit_text(bare, edits, path.name)
    assert written.count("discharge_status: UNBOUND") == len(listed)
    assert re.sub(r"^ +discharge_status: UNBOUND\n", "", written, flags=re.MULTILINE) == bare, path.name


def test_a_status_in_each_of_our_falsifiers_can_be_taken_out_again() -> None:
    assert OURS
    for path in OURS:
        assert_can_be_written_and_taken_out(path)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of outside contracts is not beside the project")
def test_a_status_in_each_outside_falsifier_can_be_taken_out_again() -> None:
    files = sorted(CORPUS.rglob("*.yaml"))
    assert len(files) > 50
    for path in files:
        assert_can_be_written_and_taken_out(path)
