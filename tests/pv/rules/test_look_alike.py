from __future__ import annotations

from pathlib import Path

import pytest

from pv.contract import load_contract
from pv.rules.look_alike import look_alike


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("GQA-001", ""),
        ("\u03b1_bound", "mixes scripts"),
        ("\u03b1\u03b2", ""),
        ("N\u00e4he-001", ""),
        ("Na\u0308he-001", ""),
        ("\u4e2d\u6587-001", ""),
        ("G\u041e-001", "mixes scripts: U+041E is Cyrillic"),
        ("\u0421\u041e\u0420-001", "reads as a Latin word: U+0421 is Cyrillic"),
        ("\u0416\u041e-001", ""),
        ("A\\u200b-001", "holds U+200B, which cannot be seen"),
        ("A\\u202e-001", "holds U+202E, which cannot be seen"),
        ("\uff21-001", "holds U+FF21, which stands for another character"),
        ("\\uE000-001", "holds U+E000, which cannot be seen"),
    ],
)
def test_names_that_read_as_others(tmp_path: Path, name: str, why: str) -> None:
    path = tmp_path / "a-v1.yaml"
    places = {
        "metadata": "depends_on: [NAME]",
        "equation": "NAME: {formula: x}",
        "obligation": "id: NAME",
        "covers": "covers: [NAME]",
        "blocks": "blocks: [NAME]",
        "basis": "basis: {m: {falsifier: NAME, metric: m}}",
        "subject": "subjects: {live: {NAME: x}}",
        "plant": "counter_examples: [NAME]",
    }
    quoted = {place: text.replace("NAME", f'"{name}"') for place, text in places.items()}
    path.write_text(
        f'metadata: {{version: "1", description: x, {quoted["metadata"]}}}\n'
        f"equations: {{{quoted['equation']}}}\n"
        f"proof_obligations: [{{{quoted['obligation']}}}]\n"
        "falsification_tests:\n"
        f"- {{id: A, {quoted['covers']}, {quoted['blocks']}, {quoted['basis']}}}\n"
        f"- {{id: B, {quoted['subject']}, {quoted['plant']}}}\n",
        encoding="utf-8",
    )
    found = [finding.message for finding in look_alike.check(load_contract(path))]
    assert len(found) == (len(places) if why else 0)
    assert all(why in message and message.isascii() for message in found)
