"""A project whose records are signed, and a policy that lets its key do so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
POLICY = """\
version = 1

[keys.release]
id = "{id}"
file = "release.pub"

[[rules]]
falsifiers = ["small-v1#*"]
keys = ["release"]
"""


class SignedProject(Project):
    """A project with ``release``, the key of its policy, and records that it signed."""

    def policy(self, text: str = POLICY) -> Path:
        """Write a policy; ``{id}`` stands for the id of the key."""
        path = self.root / "policy.toml"
        path.write_text(text.replace("{id}", (self.root / "id").read_text()), encoding="utf-8")
        return path

    def key(self, name: str) -> str:
        """Make another key, and return its id."""
        found: str = self.pv("evidence", "keygen", name, "--json").json["id"]
        return found

    def refused(self, *words: str) -> list[tuple[str, str]]:
        """Return name and reason of what `pv evidence verify --policy` refuses."""
        ended = self.pv("evidence", "verify", "--policy", "policy.toml", "--json", *words)
        listed = [(Path(one["name"]).name, one["reason"]) for one in ended.json["refused"]]
        assert ended.code == bool(listed), ended.said
        return listed


@pytest.fixture(scope="module")
def signed_once(discharged: Project, tmp_path_factory: pytest.TempPathFactory) -> SignedProject:
    """Shared by a module: do not change it."""
    made = SignedProject.__new__(SignedProject)
    made.root = tmp_path_factory.mktemp("signed") / "project"
    shutil.copytree(discharged.root, made.root)
    (made.root / "id").write_text(made.key("release"))
    made.policy()
    assert made.pv("evidence", "sign", "--key", "release").code == 0
    return made


@pytest.fixture
def signed(signed_once: SignedProject, tmp_path: Path) -> SignedProject:
    """A copy, to be changed at will."""
    copy = SignedProject.__new__(SignedProject)
    copy.root = tmp_path / "signed"
    shutil.copytree(signed_once.root, copy.root)
    return copy
