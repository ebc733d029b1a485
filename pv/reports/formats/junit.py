"""JUnit XML, as Jenkins, GitLab and others read it.

A suite a contract, a case a falsifier; what was validated is a suite of its own with a case a file. A case
has at most one of ``failure``, ``error`` and ``skipped``, which every dialect knows. A waived failure is
skipped, with the waiver as its message. There are no control characters: XML 1.0 has no way to write them.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from pv.finding import Finding
from pv.printable import printable
from pv.reports.model import Report, Result

__all__ = ["write"]


def write(report: Report) -> str:
    """Return the document, in UTF-8."""
    root = ET.Element("testsuites", name=f"pv {report.command}")
    contracts: dict[str, list[Result]] = {}
    for result in report.results:
        contracts.setdefault(result.contract, []).append(result)
    for stem, results in contracts.items():
        suite = _suite(root, stem, report)
        for result in results:
            _falsifier(suite, result)
    files: dict[str, list[Finding]] = {file: [] for file in report.files}
    for finding in report.findings:
        files.setdefault(finding.where.path, []).append(finding)
    if files:
        suite = _suite(root, f"pv {report.command}", report)
        for file, findings in files.items():
            _file(suite, file, findings, report)
    if report.error:
        # In a case of its own: a document without cases reads as one without failures.
        suite = _suite(root, f"pv {report.command}", report)
        case = _case(suite, f"pv {report.command}", "pv", 0.0)
        _end(case, "error", "Error", report.error.partition("\n")[0], report.error.splitlines())
    _count(root)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, name: str, report: Report) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=printable(name))
    if report.started:
        # The schema of Jenkins has no zone.
        suite.set("timestamp", report.started[:19])
    return suite


def _case(suite: ET.Element, name: str, group: str, seconds: float) -> ET.Element:
    return ET.SubElement(
        suite, "testcase", name=printable(name), classname=printable(group), time=f"{seconds:.3f}"
    )


def _falsifier(suite: ET.Element, result: Result) -> None:
    # What was not run now took no time now.
    seconds = 0.0 if result.fresh or not result.outcome else result.seconds
    case = _case(suite, result.identifier, result.contract, seconds)
    if result.grade == "failed":
        _end(case, "failure", result.word, result.summary, _told(result))
    elif result.grade == "broken":
        _end(case, "error", result.word, result.summary, _told(result))
    elif result.grade == "waived":
        _end(case, "skipped", result.word, f"{result.waived} ({result.summary})", _told(result))
    elif result.grade in {"declined", "noted"}:
        _end(case, "skipped", result.word, result.summary, _told(result))
    else:
        ET.SubElement(case, "system-out").text = _lines(_told(result))


def _file(suite: ET.Element, file: str, findings: list[Finding], report: Report) -> None:
    case = _case(suite, file, f"pv {report.command}", 0.0)
    told = [f"{one.where}: {one.severity}[{one.code}]: {one.message}\n    {one.remedy}" for one in findings]
    lines = [line for text in told for line in text.splitlines()]
    rejected = [one for one in findings if one.severity == "error" or report.strict]
    if rejected:
        more = f" (and {len(rejected) - 1} more)" if len(rejected) > 1 else ""
        _end(case, "failure", rejected[0].code, f"{rejected[0].message}{more}", lines)
    elif lines:
        ET.SubElement(case, "system-out").text = _lines(lines)


def _end(case: ET.Element, tag: str, kind: str, message: str, lines: Iterable[str]) -> None:
    ended = ET.SubElement(case, tag, type=printable(kind), message=printable(message))
    ended.text = _lines(lines)


def _told(result: Result) -> list[str]:
    told = [f"{result.where}: {result.address}", result.rule]
    if result.level:
        told.append(f"judged at {result.level} level on {result.subject or 'nothing'} ({result.device})")
    told += [f"{'holds' if holds else 'FAILS'}  {text}" for text, holds in result.lines]
    told += [f"worst  {case}" for case in result.worst]
    told += [f"not caught  {name}" for name in result.missed]
    told += result.earlier
    told += result.message.splitlines()
    told += result.detail.splitlines()
    told += [f"declined  {step.level} level: {step.why}: {step.command}" for step in result.declined]
    told += [f"reproduce  {result.reproduce}"] if result.reproduce else []
    return told


def _lines(lines: Iterable[str]) -> str:
    return "\n" + "\n".join(printable(line) for line in lines) + "\n"


def _count(root: ET.Element) -> None:
    for suite in (root, *root):
        cases = list(suite.iter("testcase"))
        suite.set("tests", str(len(cases)))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            if suite is not root or tag != "skipped":
                suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
        suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
