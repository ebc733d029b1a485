from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.pv.conftest import Project

BUILDING = """
from pathlib import Path


def scaled(source, output):
    folder = Path(source)
    factor = 1
    try:
        factor = int((folder / "settings" / "factor.txt").read_text())
    except FileNotFoundError:
        pass
    numbers = [float(line) for line in (folder / "numbers.txt").read_text().splitlines()]
    Path(output).write_text("".join(f"{factor * number}\\n" for number in numbers))
"""
LOADING = """

def open_numbers_of(folder):
    (folder / "settings" / "factor.txt").read_text()
    return open_numbers(folder / "numbers.txt")
"""
TOML = """
[subjects.model]
path = "data/model"
files = ["numbers.txt"]
sha256 = "{digest}"
loader = "small_checks.loading:open_numbers_of"

[subjects.scaled]
path = "scaled.txt"
builder = "small_checks.building:scaled"
loader = "small_checks.loading:open_numbers"
derived_from = ["model"]
"""
REFUSED = (
    "read data/model/settings/factor.txt, which the digest of subject model does not cover; add"
    " settings/factor.txt to the `files` of [subjects.model] in pv.toml, or name a subject that has it"
)


@pytest.fixture
def narrow(project: Project) -> Project:
    """A project with a folder of which one file counts, and a builder that looks for another one."""
    (project.root / "data/model").mkdir()
    (project.root / "data/model/numbers.txt").write_text("1.0\n2.125\n", encoding="utf-8")
    (project.root / "small_checks/building.py").write_text(BUILDING, encoding="utf-8")
    loading = project.root / "small_checks/loading.py"
    loading.write_text(loading.read_text(encoding="utf-8") + LOADING, encoding="utf-8")
    toml = project.root / "pv.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + TOML.format(digest=digest(project)), encoding="utf-8")
    project.contract(subjects={"live": {"numbers": "scaled"}})
    return project


def digest(project: Project, *names: str) -> str:
    """Return the digest of the folder by the files `names`, as `sha256sum` has it."""
    folder = project.root / "data/model"
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in names or ["numbers.txt"]
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def set_factor(project: Project, factor: int) -> None:
    path = project.root / "data/model/settings/factor.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{factor}\n", encoding="utf-8")


def test_a_builder_that_reads_what_the_digest_of_its_source_leaves_out_is_refused(narrow: Project) -> None:
    set_factor(narrow, 1)
    ended = narrow.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 4
    assert "subject scaled could not be built" in ended.said
    assert f"the builder {REFUSED}" in " ".join(ended.said.split())
    assert not list(narrow.root.glob(".pv/built/**/scaled.txt"))
    assert narrow.evidence() == {}


def test_that_a_file_is_not_there_is_not_covered_either_where_others_are_named(narrow: Project) -> None:
    ended = narrow.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 4
    assert f"the builder {REFUSED}" in " ".join(ended.said.split())


def test_what_a_builder_may_read_is_noticed_when_it_changes(narrow: Project) -> None:
    set_factor(narrow, 1)
    narrow.edit("pv.toml", '"numbers.txt"]', '"numbers.txt", "settings/factor.txt"]')
    narrow.edit("pv.toml", digest(narrow), digest(narrow, "numbers.txt", "settings/factor.txt"))
    ended = narrow.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 0, ended.said
    set_factor(narrow, 2)
    ended = narrow.pv("discharge", "--force", "FALSIFY-SMALL-001")
    assert ended.code == 4
    assert "subject model is not the one that pv.toml pins" in ended.said


def test_the_digest_of_a_whole_folder_covers_what_is_not_in_it(narrow: Project) -> None:
    narrow.edit("pv.toml", 'files = ["numbers.txt"]\n', "")
    ended = narrow.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 0, ended.said
    set_factor(narrow, 1)
    ended = narrow.pv("discharge", "--force", "FALSIFY-SMALL-001")
    assert ended.code == 4
    assert "subject model is not the one that pv.toml pins" in ended.said


def test_a_check_is_told_the_same(narrow: Project) -> None:
    set_factor(narrow, 1)
    narrow.contract(subjects={"live": {"numbers": "model"}})
    ended = narrow.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 4
    assert f"the check {REFUSED}" in " ".join(ended.said.split())
