"""Annotations of GitHub Actions, and the Markdown of a step's summary.

Source: "Workflow commands for GitHub Actions". GitHub shows few annotations of a step (ten errors, ten
warnings), so the worst come first; the summary has all.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from pv.printable import printable
from pv.reports.formats import markdown
from pv.reports.model import GRADES, Report, Result

__all__ = ["append_summary", "without_commands", "write"]

_SUMMARY = "GITHUB_STEP_SUMMARY"
_SUMMARY_LIMIT = 1_000_000
"""GitHub drops a summary of more than 1 MiB."""
_LEVELS = {"failed": "error", "broken": "error", "waived": "warning", "declined": "notice"}


def write(report: Report) -> str:
    """Return one command a line, worst first; what passed has none, unless only when tried again."""
    lines: list[tuple[int, str]] = []
    if report.error:
        lines.append((0, _command("error", report.error, title=f"pv {report.command}")))
    for one in report.findings:
        text = f"{one.message}\n{one.remedy}"
        where = {"file": one.where.path, "line": str(one.where.line), "col": str(one.where.column)}
        lines.append((one.severity != "error", _command(one.severity, text, **where, title=one.code)))
    lines += [
        (GRADES.index(result.grade), _result(result, _LEVELS.get(result.grade, "notice")))
        for result in report.results
        if result.grade in _LEVELS or result.attempts
    ]
    lines.sort(key=lambda line: line[0])
    return "".join(f"{line}\n" for _, line in lines)


def _result(result: Result, level: str) -> str:
    told = [result.summary, result.rule]
    told += result.earlier
    told += [f"worst: {case}" for case in result.worst[:3]]
    told += [result.waived] if result.waived else []
    told += [f"reproduce: {result.reproduce}"] if result.reproduce else []
    where = result.where
    return _command(
        level,
        "\n".join(told),
        file=where.path,
        line=str(where.line),
        col=str(where.column),
        title=f"{result.address} {result.word}",
    )


def _command(name: str, message: str, **properties: str) -> str:
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {told}::{_data(message)}"


def _data(text: str) -> str:
    """Escape a message: a line feed is ``%0A``, and what else would not print is shown as printable text."""
    lines = [printable(line).replace("%", "%25") for line in text.split("\n")]
    return "%0A".join(lines)


def _property(text: str) -> str:
    return printable(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


@contextlib.contextmanager
def without_commands(out: TextIO) -> Iterator[None]:
    """Have GitHub take what is printed in the block as text: a contract must not write workflow commands."""
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", file=out, flush=True)
    try:
        yield
    finally:
        print(f"\n::{token}::", file=out, flush=True)


def append_summary(report: Report) -> None:
    """Append the Markdown of `report` to the summary of the step, where this is a step of GitHub's.

    Raises
    ------
    OSError
        The summary cannot be written.
    """
    if file := os.environ.get(_SUMMARY):
        text = markdown.write(report)
        if len(text.encode()) > _SUMMARY_LIMIT:
            text = markdown.write(report, shown=200)
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(text)
