from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

import pytest
import yaml

from pv.reports.site.pen import FEW
from tests.pv.reports.site.conftest import Page, make_site

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
HOSTILE = '<script>alert("x")</script> {{ 7 * 7 }} \x1b[31m \N{RIGHT-TO-LEFT OVERRIDE} "quoted" & </td>'
OBLIGATIONS = """\
equations:
  distance: {formula: '|x - round(x)|', domain: 'x: a < b', invariants: [never negative]}
proof_obligations:
- {id: O-1, type: bound, property: they are whole}
- {id: O-2, type: bound, property: none is lost}
"""
FINDING = f"""\
---
id: FINDING-WHOLE
title: The numbers are whole <b>enough</b>
date: "2026-11-20"
status: withdrawn
falsifiers: [small-v1#{ID}]
evidence: [evidence/small-v1/{ID}/live-shipped-cpu.json]
interpretation: They were always whole.
five_whys_omitted: one was enough
withdrawn: {{date: "2026-11-21", reason: they were not, refuted_by: {ID}}}
---
The text of it.
"""


def pages_of(folder: Path) -> Iterator[tuple[str, Page]]:
    for path in sorted(folder.rglob("*.html")):
        yield path.relative_to(folder).as_posix(), Page(path)


def falsifier_page(folder: Path) -> Page:
    (path,) = (folder / "f").iterdir()
    return Page(path)


def test_every_link_leads_somewhere_and_nothing_comes_from_elsewhere(copied: Project) -> None:
    (copied.root / "findings").mkdir()
    (copied.root / "findings" / "whole.md").write_text(FINDING, encoding="utf-8")
    folder = make_site(copied)
    pages = dict(pages_of(folder))
    assert sorted(name.split("/")[0] for name in pages) == sorted(
        ["index.html", "about.html", "investigations.html", "f", "c"]
    )
    ids = {name: {given["id"] for _, given in page.tags if "id" in given} for name, page in pages.items()}
    for name, page in pages.items():
        links = page.attributes("a", "href") + page.attributes("link", "href")
        links += page.attributes("script", "src")
        assert len(links) > 3
        for link in links:
            target, fragment = urldefrag(urljoin(name, link))
            assert (folder / unquote(target or name)).is_file(), link
            if fragment:
                assert fragment in ids[target or name], link
        assert "://" not in page.text
        assert "style-src 'self'" in page.text
        assert "default-src 'none'" in page.text
        assert not any(word.startswith("on") or word == "style" for _, given in page.tags for word in given)
    assert len(pages["investigations.html"].attributes("article", "aria-labelledby")) == 1


def test_each_page_can_be_found_through_by_a_screen_reader(copied: Project) -> None:
    for name, page in pages_of(make_site(copied)):
        found = [tag for tag, _ in page.tags]
        assert [given for tag, given in page.tags if tag == "html"] == [{"lang": "en"}]
        assert [found.count(tag) for tag in ("main", "header", "footer", "nav", "h1")] == [1] * 5
        levels = [int(tag[1]) for tag in found if tag in {"h1", "h2", "h3", "h4"}]
        assert levels[0] == 1
        assert all(below <= above + 1 for above, below in itertools.pairwise(levels)), name
        ids = [given["id"] for _, given in page.tags if "id" in given]
        assert len(ids) == len(set(ids)), name
        assert page.count("table") == page.count("caption")
        assert all(given.get("scope") in {"col", "row"} for tag, given in page.tags if tag == "th"), name
        labels = page.attributes("label", "for")
        for tag, given in page.tags:
            if tag in {"input", "select"}:
                assert given.get("id") in labels
            if tag == "svg":
                assert "aria-hidden" in given or "aria-label" in given or "aria-labelledby" in given
                assert "aria-hidden" in given or given["role"] == "img"
            for reference in ("aria-labelledby",):
                assert set((given.get(reference) or "").split()) <= set(ids)
        assert page.attributes("a", "href")[0] == "#main"  # the skip link


def test_a_page_says_what_was_judged_on_what_and_how_to_do_it_again(copied: Project) -> None:
    page = falsifier_page(make_site(copied)).shown
    day = json.loads(copied.record().read_bytes())["predicate"]["run"]["started_at"][:10]
    assert f"{ID} DISCHARGED: judged live since {day}" in page
    assert "shipped, at live level, on cpu" in page
    assert "holds max(distance) <= 0.25" in page
    assert "against 0.25, margin 0 " in page
    assert "caught one_half (damages numbers)" in page
    assert "max(distance) <= 0.25 is false" in page
    assert f"pv discharge 'small-v1#{ID}' --level live --no-record" in page
    assert f"evidence/small-v1/{ID}/live-shipped-cpu.json" in page
    assert "not on record" in page
    assert "linux-x86_64" in page


def test_the_records_are_beside_the_pages_as_they_were(copied: Project) -> None:
    folder = make_site(copied)
    kept = sorted(path.read_bytes() for path in (folder / "records").iterdir())
    assert kept == sorted(copied.evidence().values())
    assert copied.pv("discharge", ID, "--force").code == 0
    assert sorted(path.read_bytes() for path in (folder / "records").iterdir()) == kept
    assert kept != sorted(copied.evidence().values())


def test_a_falsifier_without_evidence_says_what_would_move_it(project: Project) -> None:
    page = falsifier_page(make_site(project)).shown
    assert "UNBOUND: never run: no evidence" in page
    assert f"What would move it pv discharge small-v1#{ID}" in page
    assert "History" not in page


def test_text_of_strangers_is_text(project: Project) -> None:
    project.contract(rule=HOSTILE, prediction=HOSTILE, if_fails=HOSTILE, tags=[HOSTILE], model=HOSTILE)
    folder = make_site(project)
    for _, page in pages_of(folder):
        assert page.attributes("script", "src") in (["site.js"], ["../site.js"])
        assert page.count("script") == 1
    for page in (Page(folder / "index.html"), falsifier_page(folder)):
        assert '<script>alert("x")</script> {{ 7 * 7 }} \\x1b[31m \\u202e "quoted" &' in page.shown


def test_waivers_are_listed_and_those_that_expire_soon_are_marked(project: Project) -> None:
    today = dt.datetime.now(dt.UTC).date()
    for days, words in ((3, " (in 3 days)"), (0, " (expired)"), (90, "")):
        expires = today + dt.timedelta(days=days)
        (project.root / "waivers.yaml").write_text(
            f"- {{id: {ID}, reason: known, approver: R. F., created: 2020-01-01, expires: {expires}}}\n",
            encoding="utf-8",
        )
        page = Page(make_site(project) / "index.html")
        assert f"small-v1#{ID} {expires}{words} R. F. known" in page.apart


def test_what_got_stale_says_why_and_what_it_was(copied: Project) -> None:
    copied.edit("small_checks/wholeness.py", "return letters\n", "return 1 * letters\n")
    page = Page(make_site(copied) / "index.html").shown
    assert f"small-v1#{ID}: small_checks/wholeness.py" in page
    assert "(was DISCHARGED, " in page


def test_obligations_stand_on_the_pages_of_contract_and_falsifier(copied: Project) -> None:
    path = copied.root / "contracts" / "small-v1.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "  ship_blocking: true\n", "  ship_blocking: true\n  covers: [O-1]\n"
    )
    path.write_text(OBLIGATIONS + text, encoding="utf-8")
    folder = make_site(copied)
    (contract,) = (folder / "c").iterdir()
    page = Page(contract).apart
    assert f"O-1 live they are whole {ID}" in page
    assert "O-2 uncovered none is lost no falsifier names it" in page
    assert "distance | x − round ( x ) | domain: x: a < b invariant: never negative" in page  # noqa: RUF001
    assert "Covers O-1 : they are whole" in falsifier_page(folder).apart
    assert "1 of 2" in Page(folder / "index.html").shown


def test_formulas_are_mathematics_and_what_cannot_be_read_is_text(copied: Project) -> None:
    path = copied.root / "contracts" / "small-v1.yaml"
    part = "y = x / 2; <script>alert(1)</script> & so on"
    stated = {
        "good": {"formula": "y = x / 2"},
        "bad": {"formula": "it is <b>so</b>"},
        "part": {"formula": part, "preconditions": ["x > 0"]},
    }
    path.write_text(path.read_text() + yaml.safe_dump({"equations": stated}))
    (contract,) = (make_site(copied) / "c").iterdir()
    page = Page(contract)
    assert page.count("math") == page.count("mfrac") == 2
    assert page.attributes("span", "title") == ["y = x / 2", part]
    assert page.count("b") == 0
    assert page.count("script") == 1  # our own
    assert "it is <b>so</b>" in page.shown
    assert "; <script>alert(1)</script> & so on precondition: x > 0" in page.apart


def test_without_the_converter_formulas_are_text(copied: Project) -> None:
    path = copied.root / "contracts" / "small-v1.yaml"
    path.write_text(path.read_text() + yaml.safe_dump({"equations": {"good": {"formula": "y = x / 2"}}}))
    program = "import sys; sys.modules['latex2mathml'] = None; from pv.cli import main; sys.exit(main())"
    subprocess.run(
        [sys.executable, "-c", program, "report", "--html", "site"],
        cwd=copied.root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
        check=True,
        capture_output=True,
    )
    (contract,) = (copied.root / "site" / "c").iterdir()
    page = Page(contract)
    assert page.count("math") == 0
    assert "good y = x / 2" in page.apart


def test_a_site_is_replaced_as_a_whole_and_nothing_else_is(copied: Project) -> None:
    folder = make_site(copied)
    (folder / "f" / "old.html").write_text("old", encoding="utf-8")
    make_site(copied)
    assert not (folder / "f" / "old.html").exists()
    assert sorted(path.name for path in copied.root.iterdir() if path.name.startswith(".site")) == []
    (copied.root / "mine").mkdir()
    (copied.root / "mine" / "file").write_text("mine", encoding="utf-8")
    ended = copied.pv("report", "--html", "mine")
    assert ended.code == 2
    assert "is no site of pv" in ended.err
    assert [path.name for path in (copied.root / "mine").iterdir()] == ["file"]


def test_without_jinja2_it_says_what_to_install(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    ended = project.pv("report", "--html", "site")
    assert ended.code == 2
    assert "pip install 'pv[site]'" in ended.err
    assert not (project.root / "site").exists()


def test_one_tree_gives_the_same_bytes_and_the_date_is_the_one_that_is_set(
    copied: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    folder = make_site(copied)
    first = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    make_site(copied)
    assert first == {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    assert ", 2001-09-09" in Page(folder / "index.html").shown
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    ended = copied.pv("report", "--html", "site")
    assert ended.code == 2
    assert "SOURCE_DATE_EPOCH is 'soon'" in ended.err


def test_the_index_of_a_thousand_is_below_a_megabyte_and_processes_share_the_pages(project: Project) -> None:
    clause: dict[str, Any] = {"rule": "The numbers are nearly whole " * 9, "prediction": "p", "if_fails": "f"}
    project.contract(*({"id": f"FALSIFY-SMALL-{number:04}", **clause} for number in range(50)))
    folder = make_site(project)
    alone = {path.name: path.read_bytes() for path in (folder / "f").iterdir()}
    assert len(alone) == 50
    project.contract(*({"id": f"FALSIFY-SMALL-{number:04}", **clause} for number in range(FEW + 1)))
    # In a process without threads: this one forks.
    with project.start("report", "--html", "site") as shared:
        _, said = shared.communicate(timeout=120)
    assert shared.returncode == 0, said
    assert len(list((folder / "f").iterdir())) == FEW + 1 == 1001
    assert (folder / "index.html").stat().st_size < 1_000_000
    Page(folder / "index.html")
    assert all((folder / "f" / name).read_bytes() == data for name, data in alone.items())
    # Of the others, which all processes write, only numbers and what is hashed of them differ.
    shapes = {re.sub(rb"\b[0-9a-f]{8}\b|\d+", b"#", path.read_bytes()) for path in (folder / "f").iterdir()}
    assert len(shapes) == 1


def test_the_filters_work_on_what_the_pages_hold(copied: Project) -> None:
    folder = make_site(copied)
    page = Page(folder / "index.html")
    for name in ("search", "status", "contract", "level", "ships", "shown", "table", "falsifiers"):
        assert any(given.get("id") == name for _, given in page.tags), name
    assert [given for tag, given in page.tags if tag == "option" and given] == [{"value": ""}] * 3
    (row,) = [given for tag, given in page.tags if tag == "tr" and "data-b" in given]
    assert row == {"data-b": None}


def test_a_site_says_of_which_commit_it_is(copied: Project) -> None:
    from pv.commands.status import status_report
    from pv.reports.site.source import Source
    from pv.reports.site.write import write_site
    from pv.waivers import load_waivers

    config = copied.config()
    waivers = load_waivers(config)
    source = Source(status_report([], config, waivers), config, waivers.today, commit="0123456789abcdef")
    write_site(copied.root / "site", source)
    assert "at 0123456789ab" in Page(copied.root / "site" / "index.html").shown
