"""The gate holds what a change brings against the policy of its base, which the change cannot loosen."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from pv.evidence_files import envelope_of
from pv.exits import Exit
from tests.pv.signatures.conftest import SignedProject
from tests.pv.staging import ADDRESS, CLAIM, commit, git, meaning, stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pv.conftest import Ended

ID = "FALSIFY-SMALL-001"
SETTING = '\n[signatures]\npolicy = "policy.toml"\n'
OF_BASE = "does not count by policy.toml of the base: "


@pytest.fixture(autouse=True)
def _no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def demanding(signed: SignedProject) -> SignedProject:
    """A project that demands the signatures that its records have, all of it committed."""
    add_setting(signed)
    (signed.root / ".gitignore").write_text(".pv/\n__pycache__/\nrelease\nstranger\nid\n")
    git(signed.root, "init", "-q")
    commit(signed)
    return signed


def add_setting(project: SignedProject, text: str = SETTING) -> None:
    path = project.root / "pv.toml"
    path.write_text(path.read_text() + text)


def without_setting(project: SignedProject) -> None:
    path = project.root / "pv.toml"
    path.write_text(path.read_text().replace(SETTING, ""))


def unsign(project: SignedProject) -> Path:
    record = project.record()
    envelope_of(record).unlink()
    return record


def with_another_key(project: SignedProject) -> None:
    """Let the policy have a stranger's key in the place of its own."""
    project.policy(
        (project.root / "policy.toml")
        .read_text()
        .replace((project.root / "id").read_text(), project.key("stranger"))
    )
    project.edit("policy.toml", '"release.pub"', '"stranger.pub"')


def gate(project: SignedProject, *words: str) -> Ended:
    stage(project)
    return project.pv("gate", *words)


def test_nothing_moves_where_what_is_brought_is_signed(demanding: SignedProject) -> None:
    meaning(demanding)
    assert demanding.pv("discharge", ID).code == Exit.ACCEPTED
    assert demanding.pv("evidence", "sign", "--key", "release").code == Exit.ACCEPTED
    ended = gate(demanding)
    assert (ended.code, "demoted" in ended.out, "broken" in ended.out) == (Exit.ACCEPTED, False, False)


def test_what_a_change_takes_a_signature_from_is_rejected_also_where_nothing_is_claimed(
    demanding: SignedProject,
) -> None:
    unsign(demanding)
    ended = gate(demanding)
    assert ended.code == Exit.REJECTED
    assert f"broken    {ADDRESS}: live-shipped-cpu.json does not count by policy.toml: unsigned" in ended.out
    assert "(was DISCHARGED)" in ended.out
    assert "rejected: 1 ship-blocking falsifier(s) broke" in ended.out
    assert demanding.pv("gate", "--json").json["moved"][0]["after"] == "UNBOUND"


def test_a_claim_on_it_is_an_error(demanding: SignedProject) -> None:
    demanding.contract(**CLAIM)
    commit(demanding)
    unsign(demanding)
    ended = gate(demanding)
    assert ended.code == Exit.REJECTED
    assert "PV-STATUS-001" in ended.out


def another_policy(project: SignedProject) -> None:
    """Let ``pv.toml`` name another policy than that of the base, whose key is a stranger's."""
    lax = (project.root / "policy.toml").read_text().replace('"release.pub"', '"stranger.pub"')
    lax = lax.replace((project.root / "id").read_text(), project.key("stranger"))
    (project.root / "lax.toml").write_text(lax)
    project.edit("pv.toml", '"policy.toml"', '"lax.toml"')


def by_link(project: SignedProject) -> None:
    """Put a link to another policy in the place of the base's."""
    another_policy(project)
    project.edit("pv.toml", '"lax.toml"', '"policy.toml"')
    (project.root / "policy.toml").unlink()
    (project.root / "policy.toml").symlink_to("lax.toml")


LOOSENED: dict[str, tuple[Callable[[SignedProject], None], str]] = {
    "the setting is gone": (without_setting, "pv.toml names no policy any more"),
    "the key is another": (with_another_key, "the policy policy.toml is changed"),
    "the policy is another": (another_policy, "the policy lax.toml is changed"),
    "the policy is a link": (by_link, "the policy policy.toml is changed"),
}


@pytest.mark.parametrize(
    ("how", "committed"), [*((how, True) for how in LOOSENED), ("the setting is gone", False)]
)
def test_a_change_cannot_loosen_the_policy_that_it_is_held_against(
    demanding: SignedProject,
    how: str,
    committed: bool,
) -> None:
    git(demanding.root, "branch", "base")
    loosen, note = LOOSENED[how]
    loosen(demanding)
    unsign(demanding)
    if (demanding.root / "stranger").exists():
        demanding.pv("evidence", "sign", "--key", "stranger")
        assert demanding.status()[0] == "DISCHARGED"
    else:
        assert demanding.status()[0] == "DISCHARGED"
    if committed:
        commit(demanding)
    ended = gate(demanding, "--base", "base")
    assert ended.code == Exit.REJECTED, ended.said
    assert f"note: {note}" in ended.out
    assert OF_BASE in ended.out
    assert "pv-gate-" not in ended.said
    if committed:
        again = demanding.pv("gate", "--from-ref", "base", "--to-ref", "HEAD")
        assert again.code == Exit.REJECTED
        assert OF_BASE in again.out


def test_loosening_alone_is_told_and_moves_nothing(demanding: SignedProject) -> None:
    without_setting(demanding)
    ended = gate(demanding)
    assert ended.code == Exit.ACCEPTED
    assert (
        "note: pv.toml names no policy any more: evidence is held against policy.toml of the base"
        in ended.out
    )


def test_a_change_that_demands_signatures_is_held_against_what_it_demands(signed: SignedProject) -> None:
    unsign(signed)
    git(signed.root, "init", "-q")
    commit(signed)
    add_setting(signed)
    ended = gate(signed)
    assert ended.code == Exit.REJECTED
    assert "does not count by policy.toml: unsigned" in ended.out
    signed.pv("evidence", "sign", "--key", "release")
    assert gate(signed).code == Exit.ACCEPTED


def test_a_change_may_add_a_key_and_then_sign_with_it(demanding: SignedProject) -> None:
    other = demanding.key("stranger")
    text = (demanding.root / "policy.toml").read_text().replace('["release"]', '["release", "stranger"]')
    demanding.policy(f'{text}[keys.stranger]\nid = "{other}"\nfile = "stranger.pub"\n')
    assert gate(demanding).code == Exit.ACCEPTED
    commit(demanding)
    record = unsign(demanding)
    demanding.pv("evidence", "sign", "--key", "stranger", record)
    assert gate(demanding).code == Exit.ACCEPTED


@pytest.mark.parametrize("file", ["release.pub", "policy.toml"])
def test_a_key_or_a_policy_that_a_change_takes_away_ends_the_gate(
    demanding: SignedProject, file: str
) -> None:
    (demanding.root / file).unlink()
    ended = gate(demanding)
    assert ended.code == Exit.USAGE
    assert "policy.toml" in ended.err
    assert "pv-gate-" not in ended.said


def test_a_policy_outside_of_the_repository_is_that_of_both_ends(
    signed: SignedProject, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("policy.toml", "release.pub"):
        (signed.root / name).rename(kept / name)
    named = os.path.relpath(kept / "policy.toml", signed.root)
    add_setting(signed, SETTING.replace("policy.toml", named))
    git(signed.root, "init", "-q")
    commit(signed)
    assert gate(signed, "--all-files").code == Exit.ACCEPTED
    unsign(signed)
    assert gate(signed).code == Exit.REJECTED
    assert signed.pv("status", "--against", "HEAD").out.count("UNBOUND") > 0
    assert "demoted" in signed.pv("status", "--against", "HEAD").out


def test_the_past_is_held_against_its_own_policy(demanding: SignedProject) -> None:
    unsign(demanding)
    commit(demanding)
    without_setting(demanding)
    told = demanding.pv("status", "--against", "HEAD", "--json").json
    assert demanding.status()[0] == "DISCHARGED"
    assert "UNBOUND" in str(told)


def test_a_project_in_a_folder_of_the_repository(demanding: SignedProject, tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    inner = SignedProject.__new__(SignedProject)
    inner.root = demanding.copy(top / "inner").root
    shutil.rmtree(inner.root / ".git")
    git(top, "init", "-q")
    commit(inner)
    without_setting(inner)
    unsign(inner)
    ended = gate(inner)
    assert ended.code == Exit.REJECTED
    assert OF_BASE in ended.out
