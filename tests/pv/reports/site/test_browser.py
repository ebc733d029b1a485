"""The site in a real browser: Debian's chromium, from the disk and from a server of our own."""

from __future__ import annotations

import contextlib
import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pv.reports.site.conftest import make_site

pytestmark = pytest.mark.service

OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
COUNT = 12
AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The browser, started once."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    assert program, "chromium is not installed: apt-get install chromium (tests/services/packages.sh)"
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=OPTIONS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of a dozen falsifiers: passed, failed, unbound, refuted, stale, with tags and a sweep."""
    from tests.pv.conftest import CLAUSE, Project

    project = Project(tmp_path_factory.mktemp("browser") / "project")
    clauses = [dict(CLAUSE) | {"id": f"FALSIFY-SMALL-{n:03}"} for n in range(1, COUNT + 1)]
    clauses[1] |= {"expect": ["max(distance) <= 0.001", "count(distance) == expected"]}
    clauses[2] |= {"check": None, "ship_blocking": False}
    clauses[3] |= {"tags": ["nightly"], "model": "small"}
    clauses[4] |= {"subjects": {"functional": {"numbers": "stand-in"}}}
    clauses[5] |= {"rule": '<img src="https://example.org/x.png" onerror="alert(1)"> ' * 3}
    project.contract(*clauses[:8])
    project.contract(*clauses[8:], stem="other-v1")
    project.pv("sweep")
    clauses[6] |= {"expect": ["max(distance) <= 0.26", "count(distance) == expected"]}
    project.contract(*clauses[:8])
    return make_site(project)


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    """The address of a server of the site."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/favicon.ico":  # asked for beside a record, which is no page of ours
                self.send_response(http.HTTPStatus.NO_CONTENT)
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 -- its name
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextlib.contextmanager
def opened(browser: Any, address: str, **how: Any) -> Iterator[Any]:
    """Open a page, on which nothing may be complained of and nothing asked for elsewhere."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **how})
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto(address)
        yield page
        assert complaints == []
        start = re.split(r"/(?:\w+\.html|[fc]/)", address, maxsplit=1)[0]
        assert asked
        assert [url for url in asked if not url.startswith((f"{start}/", "data:"))] == []
    finally:
        context.close()


def pages(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))


def shown(page: Any) -> list[str]:
    return [text.strip() for text in page.locator("#table tbody tr:visible th").all_inner_texts()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 320])
def test_every_page_can_be_read_at_every_width_in_light_and_dark(
    browser: Any, folder: Path, scheme: str, width: int
) -> None:
    for name in pages(folder):
        how = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
        with opened(browser, (folder / name).as_uri(), **how) as page:
            assert page.evaluate(AUDIT) == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_the_audit_sees_what_is_wrong(browser: Any, tmp_path: Path) -> None:
    bad = '<!doctype html><h1>a</h1><h3>b</h3><p style="color:#999">c</p><button></button><input>'
    (tmp_path / "index.html").write_text(bad, encoding="utf-8")
    with opened(browser, (tmp_path / "index.html").as_uri()) as page:
        faults = "\n".join(page.evaluate(AUDIT))
    for what in (
        "skips a level",
        "contrast 2.8",
        "has no name: <button>",
        "has no name: <input>",
        "no landmark",
    ):
        assert what in faults


@pytest.mark.parametrize("way", ["file", "http"])
def test_filters_narrow_the_table_and_stay_in_the_address(
    browser: Any, folder: Path, served: str, way: str
) -> None:
    start = (folder / "index.html").as_uri() if way == "file" else f"{served}/index.html"
    with opened(browser, start) as page:
        assert len(shown(page)) == COUNT
        page.select_option("#status", "FALSIFIED")
        assert shown(page) == ["FALSIFY-SMALL-002"]
        assert page.locator("#shown").inner_text() == f"1 of {COUNT} shown"
        assert page.url.endswith("#status=FALSIFIED")
        page.get_by_role("button", name="Show all").click()
        assert len(shown(page)) == COUNT
        page.select_option("#contract", "other-v1")
        assert len(shown(page)) == COUNT - 8
        page.select_option("#contract", "")
        page.select_option("#tag", "nightly")
        assert shown(page) == ["FALSIFY-SMALL-004"]
        page.select_option("#tag", "")
        page.select_option("#model", "small")
        assert shown(page) == ["FALSIFY-SMALL-004"]
        page.select_option("#model", "")
        page.check("#ships")
        assert len(shown(page)) == COUNT - 1
        page.uncheck("#ships")
        page.select_option("#level", "functional")
        assert shown(page) == ["FALSIFY-SMALL-005"]
        page.select_option("#level", "")
        page.fill("#search", "other-v1 small-011")
        assert shown(page) == ["FALSIFY-SMALL-011"]
        kept = page.url
        page.reload()
        assert shown(page) == ["FALSIFY-SMALL-011"]
    with opened(browser, kept) as page:
        assert page.input_value("#search") == "other-v1 small-011"
        page.fill("#search", "nothing like this")
        assert shown(page) == []
        assert page.locator("#shown").inner_text() == f"0 of {COUNT} shown"


def test_a_count_of_the_tally_filters_the_table(browser: Any, folder: Path) -> None:
    with opened(browser, (folder / "index.html").as_uri()) as page:
        page.get_by_role("link", name="STALE").first.click()
        assert shown(page) == ["FALSIFY-SMALL-007"]
        assert page.evaluate("document.activeElement.id") == "falsifiers"


def test_columns_sort_by_keyboard_and_say_so(browser: Any, folder: Path) -> None:
    with opened(browser, (folder / "index.html").as_uri()) as page:
        table = page.locator("#table")
        button = table.get_by_role("button", name="status")
        button.focus()
        page.keyboard.press("Enter")
        head = table.get_by_role("columnheader", name="status")
        assert head.get_attribute("aria-sort") == "ascending"
        assert shown(page)[0] == "FALSIFY-SMALL-002"  # the worst
        page.keyboard.press("Space")
        assert head.get_attribute("aria-sort") == "descending"
        assert shown(page)[-1] == "FALSIFY-SMALL-002"
        assert page.url.endswith("#sort=-status")
        table.get_by_role("button", name="margin").click()
        assert head.get_attribute("aria-sort") is None
        assert table.locator("tbody tr td:nth-child(6)").last.inner_text() == ""  # no margin comes last
        page.goto((folder / "index.html").as_uri() + "#sort=-status")
        page.reload()
        assert shown(page)[-1] == "FALSIFY-SMALL-002"
        ladder = page.locator("table.ladder.sortable")
        ladder.get_by_role("button", name="contract").press("Enter")
        ladder.get_by_role("button", name="contract").press("Enter")
        assert ladder.locator("tbody tr th").first.inner_text().startswith("small-v1")


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(browser: Any, folder: Path) -> None:
    with opened(browser, (folder / "index.html").as_uri()) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        box = page.locator(".skip").bounding_box()
        assert box["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        places = []
        for _ in range(200):
            page.keyboard.press("Tab")
            told = page.evaluate(
                """() => { const e = document.activeElement, s = getComputedStyle(e);
                    return [e.tagName, e.id || e.textContent.slice(0, 30), e.matches(":focus-visible")
                      && s.outlineStyle !== "none", [...document.querySelectorAll("*")].indexOf(e)]; }"""
            )
            if told[0] == "BODY":
                break
            assert told[2], f"the focus on {told} cannot be seen"
            places.append(told[3])
        assert places == sorted(places)
        tags = page.evaluate(
            "(p) => p.map((i) => document.querySelectorAll('*')[i]).map((e) => e.id || e.className)", places
        )
        assert {"search", "status", "contract", "level", "ships", "sort", "wide"} <= set(tags)


def test_links_are_followed_to_plots_records_and_back(browser: Any, served: str) -> None:
    with opened(browser, f"{served}/index.html") as page:
        page.get_by_role("link", name="FALSIFY-SMALL-001", exact=True).click()
        assert page.locator("h1").inner_text().endswith("FALSIFY-SMALL-001")
        plot = page.locator("svg.plot")
        box = plot.bounding_box()
        assert box["width"] > 500
        assert box["height"] > 150
        assert plot.locator("path[class^=m]").count() == 2
        page.get_by_text("The history as a table").click()
        assert page.get_by_role("table", name="Judgements, the latest first").is_visible()
        page.locator("a[href*='records/']").first.click()
        assert '"predicateType": "urn:pv:discharge:v1"' in page.content()
        page.go_back()
        page.get_by_role("link", name="small-v1").first.click()
        assert page.locator("h1").inner_text() == "small-v1"
        page.get_by_role("link", name="How statuses are derived").first.click()
        assert page.get_by_role("heading", name="The ladder, best first").is_visible()


def test_what_broke_is_told_first(browser: Any, folder: Path) -> None:
    with opened(browser, (folder / "index.html").as_uri()) as page:
        news = page.get_by_role("region", name="The last sweep")
        assert "Failed: 1" in news.inner_text()
        assert "FALSIFY-SMALL-002" in news.inner_text()
        assert news.bounding_box()["y"] < 900
        assert "FALSIFY-SMALL-007" in page.get_by_role("region", name="What got stale").inner_text()


def test_the_command_is_copied_or_at_least_selected(browser: Any, folder: Path, served: str) -> None:
    name = next(name for name in pages(folder) if "SMALL-001" in name)
    with opened(browser, f"{served}/{name}", permissions=["clipboard-read", "clipboard-write"]) as page:
        page.get_by_role("button", name="Copy").click()
        page.get_by_role("button", name="Copied").wait_for()
        command = page.evaluate("navigator.clipboard.readText()")
        assert command == "pv discharge 'small-v1#FALSIFY-SMALL-001' --level live --no-record"
    with opened(browser, f"{served}/{name}") as page:
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.get_by_role("button", name="Copy").click()
        page.get_by_role("button", name="Selected").wait_for()
        assert page.evaluate("String(getSelection())") == command


def test_without_scripts_everything_is_there(browser: Any, folder: Path) -> None:
    for name in pages(folder):
        with opened(browser, (folder / name).as_uri(), java_script_enabled=False) as page:
            assert page.locator("form:visible, button:visible").count() == 0
            if name == "index.html":
                assert len(shown(page)) == COUNT


def test_it_prints_without_what_paper_cannot_use(browser: Any, folder: Path) -> None:
    with opened(browser, (folder / "index.html").as_uri()) as page:
        page.emulate_media(media="print")
        assert not page.locator("header").is_visible()
        assert not page.locator("form.filter").is_visible()
        assert len(shown(page)) == COUNT
        assert page.pdf()[:5] == b"%PDF-"
