from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv.builds import UNPINNED, build_key, find_build

if TYPE_CHECKING:
    from tests.pv.conftest import Project

BUILDER = "def twice(source, output, *, times=2): ...\ndef once(source, output): ...\n"
TOML = """
[subjects.built]
path = "built.txt"
builder = "small_checks.building:twice"
with = {times = 2}
loader = "small_checks.loading:open_numbers"
derived_from = ["shipped"]

[subjects.again]
path = "again.txt"
builder = "small_checks.building:once"
loader = "small_checks.loading:open_numbers"
derived_from = ["built"]
"""


@pytest.fixture
def building(project: Project) -> Project:
    (project.root / "small_checks" / "building.py").write_text(BUILDER, encoding="utf-8")
    toml = project.root / "pv.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + TOML, encoding="utf-8")
    return project


def test_what_is_not_built_is_known_by_its_pin(building: Project) -> None:
    config = building.config()
    assert build_key("shipped", config) == config.subjects["shipped"].sha256
    assert build_key("far-away", config) == UNPINNED
    assert find_build("shipped", config) is None


def test_a_chain_of_builds_ends_at_a_pin(building: Project) -> None:
    config = building.config()
    build = find_build("again", config)
    assert build is not None
    assert [part.subject for part in build.chain()] == ["again", "built"]
    assert build.source == build_key("built", config)
    assert build.before is not None
    assert build.before.source == config.subjects["shipped"].sha256


@pytest.mark.parametrize(
    ("name", "old", "new", "changed"),
    [
        ("small_checks/building.py", "times=2", "times=3", True),
        ("small_checks/building.py", "def once", "# a comment\ndef once", False),
        ("small_checks/scale.py", "1.0", "2.0", False),
        ("pv.toml", "times = 2", "times = 3", True),
        ("pv.toml", "with = {times = 2}\n", "", True),
        ("pv.toml", "building:once", "building:twice", True),
        ("pv.toml", '"again.txt"', '"other.txt"', True),
        ("pv.toml", '["built"]', '["shipped"]', True),
        ("pv.toml", "[subjects.again]", "# again\n[subjects.again]", False),
    ],
)
def test_a_key_changes_with_what_decides_the_bytes(
    building: Project, name: str, old: str, new: str, changed: bool
) -> None:
    before = build_key("again", building.config())
    building.edit(name, old, new)
    assert (build_key("again", building.config()) != before) == changed
