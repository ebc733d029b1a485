from __future__ import annotations

import dataclasses
import html
import re

import markdown_it
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pv.errors import Location
from pv.exits import Exit
from pv.finding import Finding
from pv.printable import printable
from pv.reports.formats import markdown
from pv.reports.model import Report, Result

PARSER = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
RESULT = Result(address="c-v1#F-1", where=Location("c-v1.yaml", 3, 5), rule="it is so", outcome="Fail")
REPORT = Report(command="discharge", version="1", ended=Exit.REJECTED)


def shown(page: str) -> str:
    """Return what a reader sees of rendered HTML."""
    return html.unescape(re.sub(r"<!--.*?-->|<[^>]*>", "", page))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_text_is_shown_as_it_is(texts: SearchStrategy[str], data: st.DataObject) -> None:
    text = data.draw(texts)
    for page in (markdown.text(text), f"- {markdown.text(text)}"):
        rendered = PARSER.render(page).replace("<!-- -->", "")
        assert set(re.findall(r"<(\w+)", rendered)) <= {"p", "ul", "li"}
        assert shown(rendered).strip() == printable(text.strip()).strip()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_text_breaks_a_table_or_leaves_its_place(
    reports: SearchStrategy[Report], data: st.DataObject
) -> None:
    report = data.draw(reports)
    rendered = PARSER.render(markdown.write(report)).replace("<!-- -->", "")
    allowed = {"h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "pre"}
    assert set(re.findall(r"<(\w+)", rendered)) <= allowed
    tables = re.findall(r"<tbody>(.*?)</tbody>", rendered, re.DOTALL)
    widths = [row.count("<td>") for table in tables for row in table.split("</tr>")[:-1]]
    assert widths == [6] * len(report.results) + [5] * len(report.findings)
    # Parsers drop cells beyond the heading's: what the cells hold must be compared, not only counted.
    rows = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in rendered.split("</tr>")]
    cells = [[shown(cell).strip() for cell in row] for row in rows if len(row) == 5]
    told = [(str(f.where), f.code, f.severity, f.message, f.remedy) for f in report.findings]
    assert sorted(cells) == sorted([printable(words.strip()).strip() for words in one] for one in told)
    details = sum(result.grade in {"failed", "broken", "waived"} for result in report.results)
    assert rendered.count("<h3>") == details
    assert rendered.count("<pre>") == details + bool(report.error)


def test_what_becomes_a_link_or_a_call_by_itself_does_not() -> None:
    text = markdown.text("www.example.org https://example.org @team #12 $x$")
    assert "www." not in text
    assert "://" not in text
    assert "@team" not in text
    assert "#12" not in text.replace("&#", "")
    assert "$" not in text


def test_a_page_is_worst_first_and_says_how_to_reproduce() -> None:
    passed = dataclasses.replace(RESULT, address="c-v1#F-0", outcome="Pass", margin="exact")
    failed = dataclasses.replace(RESULT, message="off by one", reproduce="pv discharge 'c-v1#F-1'")
    finding = Finding(Location("c-v1.yaml", 3, 5), "SCHEMA-012", "warning", "no bound", "write it")
    page = markdown.write(dataclasses.replace(REPORT, results=(passed, failed), findings=(finding,)))
    assert page.startswith("## pv discharge: rejected\n\n1 failed, 1 passed, 1 warning(s)\n")
    assert page.index("F-1 | Fail |  |  |  | off by one |") < page.index("F-0 | Pass |  |  | exact |  |")
    assert "| c-v1.yaml:3:5 | SCHEMA-012 | warning | no bound | write it |" in page
    assert "reproduce  pv discharge &#x27;c-v1#F-1&#x27;" in page


def test_a_long_page_says_how_much_is_left_out() -> None:
    page = markdown.write(dataclasses.replace(REPORT, results=(RESULT,) * 5), shown=2)
    assert page.count("| c-v1&#35;F-1 |") == 2
    assert "3 more are not shown here." in page
