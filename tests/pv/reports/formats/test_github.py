from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pv.errors import Location
from pv.exits import Exit
from pv.finding import Finding
from pv.printable import printable
from pv.reports.formats import github
from pv.reports.model import Report, Result

WHERE = Location("contracts/c,v1: 100%.yaml", 3, 5)
RESULT = Result(address="c-v1#F-1", where=WHERE, rule="it is so", outcome="Fail", message="off")
REPORT = Report(command="discharge", version="1", ended=Exit.REJECTED)
COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


def run(line: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command as the runner of GitHub Actions does."""
    match = COMMAND.fullmatch(line)
    assert match, line
    properties = dict(pair.split("=", 1) for pair in match[2].split(",")) if match[2] else {}
    escapes = {"%3A": ":", "%2C": ",", "%0D": "\r", "%0A": "\n", "%25": "%"}

    def plain(text: str) -> str:
        return re.sub("%(3A|2C|0D|0A|25)", lambda found: escapes[found[0]], text)

    return match[1], {key: plain(value) for key, value in properties.items()}, plain(match[3])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_line_is_one_command_of_ours(reports: SearchStrategy[Report], data: st.DataObject) -> None:
    report = data.draw(reports)
    # GitHub's runner reads line by line, and knows three ends of a line.
    lines = re.split("\r\n|\r|\n", github.write(report))
    assert lines.pop() == ""
    commands = [run(line) for line in lines]
    told = [one for one in report.results if one.grade not in {"passed", "noted"} or one.attempts]
    assert len(commands) == len(told) + len(report.findings) + bool(report.error)
    named = {(c[1]["file"], c[1]["line"], c[1]["title"]) for c in commands if "file" in c[1]}
    for result in told:
        title = printable(f"{result.address} {result.word}")
        assert (printable(result.where.path), str(result.where.line), title) in named
    for finding in report.findings:
        message = "\n".join(printable(line) for line in f"{finding.message}\n{finding.remedy}".split("\n"))
        assert message in {command[2] for command in commands}


def test_a_place_with_every_character_that_is_escaped() -> None:
    (line,) = github.write(dataclasses.replace(REPORT, results=(RESULT,))).splitlines()
    level, properties, message = run(line)
    assert level == "error"
    assert properties == {"file": WHERE.path, "line": "3", "col": "5", "title": "c-v1#F-1 Fail"}
    assert message == "FAIL: off\nit is so"


def test_the_worst_come_first_because_github_shows_ten() -> None:
    results = tuple(
        dataclasses.replace(RESULT, outcome=word) for word in ("Declined", "Pass", "Error", "Fail")
    )
    finding = Finding(WHERE, "SCHEMA-012", "warning", "no bound", "write it")
    text = github.write(dataclasses.replace(REPORT, results=results, findings=(finding,), error="broke"))
    titles = [run(line)[1]["title"] for line in text.splitlines()]
    assert titles[0] == "pv discharge"
    assert titles.index("c-v1#F-1 Fail") < titles.index("c-v1#F-1 Error") < titles.index("c-v1#F-1 Declined")


def test_commands_in_the_text_of_a_contract_are_switched_off() -> None:
    out = io.StringIO()
    with github.without_commands(out):
        print("::error::not ours", file=out)
    first, text, _, last = out.getvalue().splitlines()
    token = first.removeprefix("::stop-commands::")
    assert len(token) >= 32
    assert (text, last) == ("::error::not ours", f"::{token}::")


def test_the_summary_is_appended_and_kept_below_what_github_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    github.append_summary(dataclasses.replace(REPORT, results=(RESULT,)))
    assert file.read_text(encoding="utf-8").startswith("before\n## pv discharge: rejected\n")
    many = dataclasses.replace(REPORT, results=(dataclasses.replace(RESULT, detail="x" * 1000),) * 2000)
    file.unlink()
    github.append_summary(many)
    assert 10_000 < file.stat().st_size < 1_000_000
    assert "1800 more are not shown here." in file.read_text(encoding="utf-8")
