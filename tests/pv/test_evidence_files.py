from __future__ import annotations

from pathlib import Path

import pytest

from pv.evidence_files import envelope_of, is_record_name, record_of


def test_an_envelope_lies_beside_its_record() -> None:
    record = Path("evidence/c-v1/F-1/live-model.v1-cpu.json")
    assert envelope_of(record) == Path("evidence/c-v1/F-1/live-model.v1-cpu.dsse.json")
    assert record_of(envelope_of(record)) == record


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("live-shipped-cpu.json", True),
        ("live-dsse-cpu.json", True),
        ("live-shipped-cpu.dsse.json", False),
        ("live-shipped-cpu.0123456789ab.series.json", False),
        ("live-shipped-cpu.json.dsse", False),
        ("readme.md", False),
    ],
)
def test_only_records_are_records(name: str, is_one: bool) -> None:
    assert is_record_name(name) is is_one
