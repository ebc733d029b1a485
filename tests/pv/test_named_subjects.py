from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv.contract import Falsifier, load_contract
from pv.errors import ConfigError
from pv.named_subjects import named_subjects, subjects_built_from
from tests.pv.conftest import CLAUSE

if TYPE_CHECKING:
    from tests.pv.conftest import Project

BUILT = """
[subjects.built]
path = "built.txt"
builder = "small_checks.loading:build"
loader = "small_checks.loading:open_numbers"
derived_from = ["other"]

[subjects.other]
path = "other.txt"
builder = "small_checks.loading:build"
loader = "small_checks.loading:open_numbers"
derived_from = ["shipped"]

[subjects.kept]
path = "data/numbers.txt"
loader = "small_checks.loading:open_numbers"
derived_from = ["gone"]
"""


def falsifier(project: Project, *names: str, satisfying: str | None = None) -> Falsifier:
    clause = dict(CLAUSE) | {"subjects": {"live": {f"r{index}": name for index, name in enumerate(names)}}}
    if satisfying:
        clause |= {"outcome": "refuted", "satisfying_example": {"subjects": {"r0": satisfying}}}
    return load_contract(project.contract(clause)).falsifiers[0]


def yielded(project: Project, clause: Falsifier) -> list[str]:
    return [spec.name for spec in subjects_built_from(clause, project.config())]


@pytest.fixture
def built(project: Project) -> Project:
    settings = project.root / "pv.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + BUILT, encoding="utf-8")
    return project


def test_each_that_is_named_is_named_once(project: Project) -> None:
    assert named_subjects(falsifier(project, "b", "a", "b", satisfying="c")) == ("b", "a", "c")


def test_what_subjects_are_built_from_counts_once(built: Project) -> None:
    assert sorted(yielded(built, falsifier(built, "built"))) == ["built", "other", "shipped"]
    assert sorted(yielded(built, falsifier(built, "other", "shipped", satisfying="built"))) == [
        "built",
        "other",
        "shipped",
    ]


def test_what_no_builder_needs_need_not_be_there(built: Project) -> None:
    assert yielded(built, falsifier(built, "kept")) == ["kept"]


def test_one_that_is_not_there_is_refused(project: Project) -> None:
    with pytest.raises(ConfigError, match="subject 'gone' is not in"):
        yielded(project, falsifier(project, "gone"))
