from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

import junitparser
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pv.errors import Location
from pv.exits import Exit
from pv.finding import Finding
from pv.reports.formats import junit
from pv.reports.model import Report, Result

SCHEMA = xmlschema.XMLSchema(Path(__file__).parent / "resources" / "junit.xsd")
RESULT = Result(address="c-v1#F-1", where=Location("c-v1.yaml", 3, 5), rule="it is so", seconds=1.5)
REPORT = Report(command="discharge", version="1", ended=Exit.ACCEPTED)


def read(report: Report) -> list[junitparser.TestCase]:
    """Return the cases as another program reads them."""
    suites = junitparser.JUnitXml.fromstring(junit.write(report).encode())
    return [case for suite in suites for case in suite]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_report_is_valid_and_loses_no_case(
    reports: SearchStrategy[Report], data: st.DataObject
) -> None:
    report = data.draw(reports)
    text = junit.write(report)
    SCHEMA.validate(text)
    files = {*report.files, *(finding.where.path for finding in report.findings)}
    cases = read(report)
    assert len(cases) == len(report.results) + len(files) + bool(report.error)
    root = ET.fromstring(text)  # noqa: S314  it is ours
    assert root.get("tests") == str(len(cases))
    graded = [result.grade for result in report.results]
    rejected = {f.where.path for f in report.findings if f.severity == "error" or report.strict}
    assert root.get("failures") == str(graded.count("failed") + len(rejected))
    assert root.get("errors") == str(graded.count("broken") + bool(report.error))
    skipped = sum(int(suite.get("skipped", "")) for suite in root)
    assert skipped == sum(graded.count(grade) for grade in ("declined", "noted", "waived"))


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        ("Fail", junitparser.Failure),
        ("Vacuous", junitparser.Failure),
        ("Error", junitparser.Error),
        ("Declined", junitparser.Skipped),
        ("Unbound", junitparser.Skipped),
    ],
)
def test_another_program_reads_how_it_ended_and_why(outcome: str, kind: type) -> None:
    result = dataclasses.replace(RESULT, outcome=outcome, message="because\nof this")
    (case,) = read(dataclasses.replace(REPORT, results=(result,)))
    assert (case.classname, case.name, case.time) == ("c-v1", "F-1", 1.5)
    (told,) = case.result
    assert isinstance(told, kind)
    assert (told.type, told.message) == (outcome, f"{outcome.upper()}: because")
    assert "of this" in told.text


def test_a_pass_has_no_result_and_a_fresh_one_took_no_time() -> None:
    passed = dataclasses.replace(RESULT, outcome="Pass")
    cases = read(dataclasses.replace(REPORT, results=(passed, dataclasses.replace(passed, fresh=True))))
    assert [(case.is_passed, case.time) for case in cases] == [(True, 1.5), (True, 0.0)]


def test_a_waived_failure_is_skipped_with_the_waiver() -> None:
    waived = dataclasses.replace(
        RESULT, outcome="Fail", message="off", waived="WAIVED until 2100-01-01: known"
    )
    (case,) = read(dataclasses.replace(REPORT, results=(waived,)))
    assert case.result[0].message == "WAIVED until 2100-01-01: known (FAIL: off)"
    assert case.is_skipped


def test_a_warning_fails_only_where_warnings_reject() -> None:
    finding = Finding(Location("c-v1.yaml", 3, 5), "SCHEMA-012", "warning", "no bound", "write it")
    report = dataclasses.replace(REPORT, files=("c-v1.yaml", "d-v1.yaml"), findings=(finding,))
    assert [case.is_passed for case in read(report)] == [True, True]
    strict = read(dataclasses.replace(report, strict=True))
    assert [case.is_passed for case in strict] == [False, True]
    assert "c-v1.yaml:3:5: warning[SCHEMA-012]: no bound" in strict[0].result[0].text


def test_text_of_strangers_reaches_its_reader_and_ends_nothing() -> None:
    hostile = "]]></failure><failure>\x1b[31m & \x00 \ufffe"
    result = dataclasses.replace(RESULT, outcome="Fail", message=hostile)
    (case,) = read(dataclasses.replace(REPORT, results=(result,)))
    (told,) = case.result
    assert told.message == "FAIL: ]]></failure><failure>\\x1b[31m & \\x00 \\ufffe"
