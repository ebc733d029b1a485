from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pv.reports.formats import json as format_json
from pv.reports.model import Report, Result

SCHEMA = json.loads((resources.files("pv") / "reports/report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_every_report_is_as_the_schema_says(reports: SearchStrategy[Report], data: st.DataObject) -> None:
    report = data.draw(reports)
    document = json.loads(format_json.write(report))
    VALIDATOR.validate(document)
    assert tuple(Result.from_json(result) for result in document["results"]) == report.results


@pytest.mark.parametrize("part", ["properties", "required"])
def test_the_schema_names_every_field(part: str) -> None:
    from pv.errors import Location
    from pv.exits import Exit

    result = Result(address="a#b", where=Location("f", 1, 1), rule="r")
    report = Report(command="status", version="1", ended=Exit.ACCEPTED)
    assert set(SCHEMA["$defs"]["result"][part]) == set(result.to_json())
    assert set(SCHEMA[part]) == set(report.to_json())
