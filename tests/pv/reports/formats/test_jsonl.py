from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pv.reports.formats import json as format_json
from pv.reports.formats import jsonl
from pv.reports.model import Report


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_lines_together_are_the_document(reports: SearchStrategy[Report], data: st.DataObject) -> None:
    report = data.draw(reports)
    text = jsonl.write(report)
    assert text.endswith("\n")
    assert text.isascii()
    head, *rest = (json.loads(line) for line in text.splitlines())
    assert head.pop("kind") == "report"
    found: dict[str, list[object]] = {"result": [], "finding": []}
    for line in rest:
        found[line.pop("kind")].append(line)
    document = head | {"results": found["result"], "findings": found["finding"]}
    assert document == json.loads(format_json.write(report))
