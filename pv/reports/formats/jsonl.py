"""JSON Lines (https://jsonlines.org): the head of the report, then a line for each result and finding.

Each line has a ``kind``: ``report``, ``result`` or ``finding``; the rest of it is as in the JSON document.
"""

from __future__ import annotations

import json

from pv.printable import printable_json
from pv.reports.model import Report

__all__ = ["write"]


def write(report: Report) -> str:
    """Return the lines, in ASCII."""
    lines = [{"kind": "report"} | report.head()]
    lines += [{"kind": "result"} | result.to_json() for result in report.results]
    lines += [{"kind": "finding"} | finding.to_json() for finding in report.findings]
    return "".join(printable_json(json.dumps(line, allow_nan=False)) + "\n" for line in lines)
