from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.reports.site import page_name

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
HOSTILE = '<script>alert("x")</script> {{ 7 * 7 }} \x1b[31m \N{RIGHT-TO-LEFT OVERRIDE} "quoted" & </td>'
VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """A page, read strictly: what is opened is closed, in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(self.text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def shown(self) -> str:
        return " ".join("".join(self.words).split())

    def attributes(self, tag: str, name: str) -> list[str]:
        return [
            value for found, given in self.tags if found == tag and (value := given.get(name)) is not None
        ]


def site(project: Project, *arguments: str) -> Path:
    ended = project.pv("report", "--html", "site", *arguments)
    assert ended.code == 0, ended.said
    return project.root / "site"


def test_every_link_leads_somewhere_and_nothing_comes_from_elsewhere(copied: Project) -> None:
    folder = site(copied)
    pages = sorted(folder.rglob("*.html"))
    assert len(pages) == 2
    for path in pages:
        page = Page(path)
        links = (
            page.attributes("a", "href") + page.attributes("link", "href") + page.attributes("script", "src")
        )
        assert links
        for link in links:
            target = urljoin(path.relative_to(folder).as_posix(), link)
            assert link == "#main" or (folder / target).is_file(), link
        assert "://" not in page.text
        assert "style-src 'self'" in page.text
        assert not page.attributes("script", "onclick")
        assert [given for tag, given in page.tags if tag == "html"] == [{"lang": "en"}]
        assert len([tag for tag, _ in page.tags if tag == "h1"]) == 1


def test_a_page_says_what_was_judged_on_what_and_how_to_do_it_again(copied: Project) -> None:
    page = Page(next((site(copied) / "f").iterdir())).shown
    assert f"{ID} DISCHARGED: judged live" in page
    assert "shipped, at live level, on cpu" in page
    assert "holds: max(distance) <= 0.25" in page
    assert "caught: one_half (damages numbers)" in page
    assert f"pv discharge 'small-v1#{ID}' --level live --no-record" in page
    assert "evidence/small-v1" in page


def test_a_falsifier_without_evidence_says_what_would_move_it(project: Project) -> None:
    page = Page(next((site(project) / "f").iterdir())).shown
    assert "UNBOUND: never run: no evidence" in page
    assert f"What would move it pv discharge small-v1#{ID}" in page


def test_text_of_strangers_is_text(project: Project) -> None:
    project.contract(rule=HOSTILE, prediction=HOSTILE, if_fails=HOSTILE)
    folder = site(project)
    (path,) = (folder / "f").iterdir()
    for page in (Page(folder / "index.html"), Page(path)):
        assert [src for tag, src in page.tags if tag == "script"] in ([], [{"src": "site.js"}])
        assert '<script>alert("x")</script> {{ 7 * 7 }} \\x1b[31m \\u202e "quoted" &' in page.shown


def test_waivers_are_listed_and_those_that_expire_soon_are_marked(project: Project) -> None:
    today = dt.datetime.now(dt.UTC).date()
    soon = today + dt.timedelta(days=3)
    (project.root / "waivers.yaml").write_text(
        f"- {{id: {ID}, reason: known, approver: R. F., created: 2020-01-01, expires: {soon}}}\n",
        encoding="utf-8",
    )
    page = Page(site(project) / "index.html")
    assert f"small-v1#{ID} {soon} (soon) R. F. known" in " ".join(page.words).replace("\n", " ").replace(
        "  ", " "
    )


def test_a_site_is_replaced_as_a_whole_and_nothing_else_is(copied: Project) -> None:
    folder = site(copied)
    (folder / "f" / "old.html").write_text("old", encoding="utf-8")
    site(copied)
    assert not (folder / "f" / "old.html").exists()
    assert sorted(path.name for path in copied.root.iterdir() if path.name.startswith(".site")) == []
    (copied.root / "mine").mkdir()
    (copied.root / "mine" / "file").write_text("mine", encoding="utf-8")
    ended = copied.pv("report", "--html", "mine")
    assert ended.code == 2
    assert "is no site of pv" in ended.err
    assert [path.name for path in (copied.root / "mine").iterdir()] == ["file"]


def test_without_jinja2_it_says_what_to_install(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "jinja2", None)
    ended = project.pv("report", "--html", "site")
    assert ended.code == 2
    assert "pip install 'pv[site]'" in ended.err
    assert not (project.root / "site").exists()


def test_the_index_of_a_thousand_falsifiers_is_below_a_megabyte(project: Project) -> None:
    clause: dict[str, Any] = {"rule": "The numbers are nearly whole " * 9, "prediction": "p", "if_fails": "f"}
    project.contract(*({"id": f"FALSIFY-SMALL-{number:04}", **clause} for number in range(1000)))
    folder = site(project)
    assert len(list((folder / "f").iterdir())) == 1000
    assert (folder / "index.html").stat().st_size < 1_000_000
    Page(folder / "index.html")


@given(st.text(max_size=200), st.text(max_size=200))
def test_each_address_has_a_page_of_its_own_with_a_plain_name(one: str, other: str) -> None:
    name = page_name(one)
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.html", name)
    assert len(name) <= 140
    assert (name.lower() == page_name(other).lower()) == (one == other)


def test_the_filters_work_on_what_the_pages_hold(copied: Project) -> None:
    folder = site(copied)
    script = (folder / "site.js").read_text(encoding="utf-8")
    page = Page(folder / "index.html")
    for name in re.findall(r'getElementById\("(\w+)"\)', script):
        assert any(given.get("id") == name for _, given in page.tags), name
    assert page.attributes("tr", "data-status") == ["DISCHARGED"]
    style = (folder / "style.css").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in style


def test_a_site_says_of_which_commit_it_is(copied: Project) -> None:
    from pv.commands.status import status_report
    from pv.reports.site import write_site
    from pv.waivers import load_waivers

    config = copied.config()
    waivers = load_waivers(config)
    later = dt.date(2101, 1, 1)
    report = status_report([], config, waivers)
    assert write_site(copied.root / "later", report, waivers.waivers, config, later, "0" * 40) == 2
    assert "2101-01-01, at 000000000000" in Page(copied.root / "later/index.html").shown
