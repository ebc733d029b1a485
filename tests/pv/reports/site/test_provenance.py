from __future__ import annotations

from typing import TYPE_CHECKING

from pv.reports.site.provenance import Made, origins_of
from tests.pv.reports.site.conftest import Page, make_site

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def test_a_subject_is_followed_to_what_it_was_made_from(project: Project) -> None:
    text = (project.root / "pv.toml").read_text(encoding="utf-8")
    text += """
[subjects.built]
path = "built.txt"
builder = "small_checks.build:twice"
with = {factor = 2}
loader = "small_checks.load:numbers"
derived_from = ["shipped"]
"""
    (project.root / "pv.toml").write_text(text, encoding="utf-8")
    project.contract(subjects={"functional": {"numbers": "built"}, "live": {"numbers": "shipped"}})
    config = project.config()
    known: dict[str, Made] = {}
    first, second = origins_of(project.load().falsifiers[0], config, known)
    assert (first.role, first.levels, first.made.builder) == (
        "numbers",
        ("functional",),
        "small_checks.build:twice",
    )
    (before,) = first.made.derived_from
    assert before is second.made
    assert before.digest == config.subjects["shipped"].sha256
    page = Page(next((make_site(project) / "f").iterdir())).shown
    assert 'built by small_checks.build:twice with {"factor": 2}' in page
    assert f"derived from shipped, sha256 {before.digest}" in page


def test_a_subject_that_is_not_in_the_file_is_told(project: Project) -> None:
    project.contract(subjects={"live": {"numbers": "nowhere"}})
    (origin,) = origins_of(project.load().falsifiers[0], project.config(), {})
    assert origin.made == Made("nowhere", "", "not in pv.toml", "", "", "", ())
