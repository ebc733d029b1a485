"""One JSON document; ``pv/reports/report.schema.json`` is its schema."""

from __future__ import annotations

import json

from pv.printable import printable_json
from pv.reports.model import Report

__all__ = ["write"]


def write(report: Report) -> str:
    """Return the document, in ASCII: no reader has to guess an encoding."""
    return printable_json(json.dumps(report.to_json(), indent=1, allow_nan=False)) + "\n"
