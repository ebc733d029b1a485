"""Markdown for pages, comments and summaries: GitHub's, of which others understand most.

Whatever comes from a contract is text, and nothing else: characters that Markdown reads are written as
HTML entities, and what would not print is shown as an escape.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from pv.printable import printable
from pv.reports.model import GRADES, Report, Result, counts

__all__ = ["text", "write"]

_READ = re.compile(
    r"[&<>`*_\[\]\\|~#$^{}]"  # emphasis, links, code, tables, mathematics, references to issues
    r"|^[-+=]|^[0-9](?=[0-9]*[.)])"  # what begins a list or underlines a heading
    r"|(?<=[wW])\.|:(?=//)"  # what becomes a link by itself
)


_NOUNS = {"errors": "error(s)", "warnings": "warning(s)"}


def write(report: Report, shown: int | None = None) -> str:
    """Return the page; with `shown`, at most so many results and findings, worst first."""
    return "\n".join(_page(report, shown)) + "\n"


def text(words: str) -> str:
    """Return `words` as Markdown that shows exactly them, on one line."""
    escaped = _READ.sub(lambda match: f"&#{ord(match[0])};", printable(words.strip()))
    # An empty comment parts the sign from the name: nobody is to be told of a contract's text.
    return escaped.replace("@", "@<!-- -->")


def _page(report: Report, shown: int | None) -> Iterator[str]:
    yield f"## pv {report.command}: {report.ended.name.lower()}"
    yield ""
    told = [f"{count} {_NOUNS.get(name, name)}" for name, count in counts(report).items() if count]
    yield text(", ".join(told) or "nothing to report") + (
        f" in {len(report.files)} file(s)" if report.files else ""
    )
    yield ""
    if report.error:
        yield from _pre(report.error.splitlines())
    results = sorted(report.results, key=lambda result: GRADES.index(result.grade))
    findings = sorted(report.findings, key=lambda finding: finding.severity != "error")
    if results:
        yield "| falsifier | outcome | status | level | margin | why |\n|---|---|---|---|---|---|"
        for result in results[:shown]:
            yield _row(_cells(result))
        yield ""
    if findings:
        yield "| where | code | severity | finding | remedy |\n|---|---|---|---|---|"
        for one in findings[:shown]:
            yield _row((str(one.where), one.code, one.severity, one.message, one.remedy))
        yield ""
    left = max(0, len(results) - (shown or len(results))) + max(0, len(findings) - (shown or len(findings)))
    if left:
        yield f"{left} more are not shown here."
        yield ""
    for result in results[:shown]:
        if result.grade in {"failed", "broken", "waived"}:
            yield from _details(result)


def _cells(result: Result) -> tuple[str, ...]:
    why = result.waived or ("" if result.grade == "passed" else result.summary.partition(": ")[2])
    why = "; ".join([*([why] if why else []), *result.earlier])
    return (
        result.address,
        f"{result.outcome}{' (waived)' if result.grade == 'waived' else ''}",
        result.status,
        result.level,
        result.margin,
        why,
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(text(cell) for cell in cells)} |"


def _details(result: Result) -> Iterator[str]:
    yield f"### {text(result.address)}: {text(result.word)}"
    yield ""
    told = [str(result.where), result.rule]
    told += [f"{'holds' if holds else 'FAILS'}  {line}" for line, holds in result.lines]
    told += [f"worst  {case}" for case in result.worst]
    told += [f"NOT CAUGHT  {name}" for name in result.missed]
    told += [*result.earlier, *result.message.splitlines(), *result.detail.splitlines()]
    told += [f"reproduce  {result.reproduce}"] if result.reproduce else []
    yield from _pre(told)


def _pre(lines: Sequence[str]) -> Iterator[str]:
    # Its end is the only thing that Markdown reads within, and what would write one is escaped.
    shown = "\n".join(html.escape(printable(line)) for line in lines).replace("@", "&#64;")
    yield f"<pre>{shown}\n</pre>"
    yield ""
