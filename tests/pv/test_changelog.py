from __future__ import annotations

import datetime as dt
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.changelog import Raised, VersionError, bump_edits, next_version
from pv.document import parse
from pv.edit import edit_text
from pv.errors import Location
from pv.exits import Exit
from pv.meaning.change import Bump
from pv.semantic_version import suffices

DAY = dt.date(2026, 11, 20)
HERE = Location("c.yaml", 2, 12)


def bumped(text: str, said: str = "X: up") -> str:
    document = parse(text, "c.yaml")
    after = next_version(document.value["metadata"]["version"], HERE)
    return edit_text(text, bump_edits(document, after, DAY, said), "c.yaml")


FORMS = {
    "none": (
        'metadata:\n  version: "1.0.0" # v\n  kind: pattern\n\nx: 1\n',
        ('metadata:\n  version: "1.0.1" # v\n  kind: pattern\n  changelog:\n'
        '    - "1.0.1 (2026-11-20): X: up"\n\nx: 1\n'),
    ),
    "none, and the version is last": (
        "metadata:\n  version: 1.0.0\n",
        'metadata:\n  version: 1.0.1\n  changelog:\n    - "1.0.1 (2026-11-20): X: up"\n',
    ),
    "none, within braces": (
        "metadata: {version: '1.0.9'}\n",
        "metadata: {version: '1.0.10', changelog: [\"1.0.10 (2026-11-20): X: up\"]}\n",
    ),
    "texts, newest first": (
        'metadata:\n  version: "1.1.0"\n  changelog:\n    # newest\n    - "v1.1.0: b"\n    - "1.0.0: a"\n',
        ('metadata:\n  version: "1.1.1"\n  changelog:\n    # newest\n'
        '    - "1.1.1 (2026-11-20): X: up"\n    - "v1.1.0: b"\n    - "1.0.0: a"\n'),
    ),
    "texts, newest last": (
        'metadata:\n  version: "1.10.0"\n  changelog:\n  - "1.9.0: a"\n  - "1.10.0: b"\n  kind: x\n',
        ('metadata:\n  version: "1.10.1"\n  changelog:\n  - "1.9.0: a"\n  - "1.10.0: b"\n'
        '  - "1.10.1 (2026-11-20): X: up"\n  kind: x\n'),
    ),
    "mappings, newest last": (
        ("metadata:\n  version: 1.1.0\n  changelog:\n"
        "    - {version: 1.0.0, changes: [a]}\n    - {version: 1.1.0, by: N, date: x, changes: [b]}\n"),
        ("metadata:\n  version: 1.1.1\n  changelog:\n"
        "    - {version: 1.0.0, changes: [a]}\n    - {version: 1.1.0, by: N, date: x, changes: [b]}\n"
        '    - version: "1.1.1"\n      date: "2026-11-20"\n      changes:\n        - "X: up"\n'),
    ),
    "mappings, with a summary": (
        "metadata:\n  version: 1.0.0\n  changelog:\n    - date: x\n      version: 1.0.0\n      summary: a\n",
        ('metadata:\n  version: 1.0.1\n  changelog:\n    - date: "2026-11-20"\n      version: "1.0.1"\n'
        '      summary: "X: up"\n    - date: x\n      version: 1.0.0\n      summary: a\n'),
    ),
    "mappings of one version each": (
        "metadata:\n  version: 1.0.0\n  changelog:\n    - v1.0.0: a\n",
        'metadata:\n  version: 1.0.1\n  changelog:\n    - v1.0.1: "2026-11-20: X: up"\n    - v1.0.0: a\n',
    ),
    "by version, lists": (
        "metadata:\n  version: 1.1.0\n  changelog:\n    1.0.0: [a]\n    1.1.0: [b] # c\nx: 1",
        ("metadata:\n  version: 1.1.1\n  changelog:\n    1.0.0: [a]\n    1.1.0: [b] # c\n"
        '    1.1.1:\n      - "2026-11-20: X: up"\nx: 1'),
    ),
    "by version, texts": (
        "metadata:\n  version: 1.1.0\n  changelog:\n    'v1.1.0': b\n    'v1.0.0': a\n",
        ("metadata:\n  version: 1.1.1\n  changelog:\n    'v1.1.1': \"2026-11-20: X: up\"\n"
        "    'v1.1.0': b\n    'v1.0.0': a\n"),
    ),
    "by version, mappings": (
        "metadata:\n  version: 1.0.0\n  changelog:\n    1.0.0: {date: x, changes: [a]}\n",
        ('metadata:\n  version: 1.0.1\n  changelog:\n    1.0.1:\n      date: "2026-11-20"\n      changes:\n'
        '        - "X: up"\n    1.0.0: {date: x, changes: [a]}\n'),
    ),
    "empty": (
        "metadata:\n  version: 1.0.0\n  changelog: []\n",
        'metadata:\n  version: 1.0.1\n  changelog: ["1.0.1 (2026-11-20): X: up"]\n',
    ),
    "at the top, and a date of change": (
        'changelog:\n  - a\nmetadata:\n  updated: "2026-02-05"\n  version: 1.0.0\n',
        ('changelog:\n  - "1.0.1 (2026-11-20): X: up"\n  - a\n'
        'metadata:\n  updated: "2026-11-20"\n  version: 1.0.1\n'),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_the_entry_has_the_form_of_the_others(name: str) -> None:
    before, after = FORMS[name]
    assert bumped(before) == after


@pytest.mark.parametrize("log", ["a text", "", "[a, {b: c}]", "[[a]]", "{1.0.1: it is there}", "[{}]"])
def test_an_unknown_form_is_refused_at_its_place(log: str) -> None:
    text = f"metadata:\n  version: 1.0.0\n  changelog: {log}\n"
    with pytest.raises(VersionError) as caught:
        bumped(text)
    assert caught.value.exit == Exit.REJECTED
    assert str(caught.value).startswith("c.yaml:3:")
    assert "[BUMP-002]" in str(caught.value)


def test_any_text_can_be_logged() -> None:
    said = 'it says "a: b" # c, \\x1b[31m, é, - x'
    value = parse(bumped('metadata: {version: "1.0.0"}', said), "c.yaml").value
    assert value["metadata"]["changelog"] == [f"1.0.1 (2026-11-20): {said}"]


@pytest.mark.parametrize(("version", "why"), [
    ("1.0", "it is no semantic version"),
    ("v1.0.0", "it is no semantic version"),
    ("01.0.0", "it is no semantic version"),
    ("", "it is no semantic version"),
    ("1.0.0-rc.1", "a pre-release or a build"),
    ("1.0.0+7", "a pre-release or a build"),
])  # fmt: skip
def test_what_is_no_version_is_not_raised(version: str, why: str) -> None:
    with pytest.raises(VersionError, match=why) as caught:
        next_version(version, HERE)
    assert str(caught.value).startswith("c.yaml:2:12: error[BUMP-001]: ")


@given(st.tuples(*[st.integers(0, 10**20)] * 3), st.sampled_from(get_args(Raised)))
def test_the_next_version_is_greater_by_one_step(numbers: tuple[int, int, int], number: Raised) -> None:
    major, middle, patch = numbers
    before = f"{major}.{middle}.{patch}"
    after = next_version(before, HERE, number)
    if number == "major" and major == 0:
        number = "minor"
    assert (
        after
        == {
            "major": f"{major + 1}.0.0",
            "minor": f"{major}.{middle + 1}.0",
            "patch": f"{major}.{middle}.{patch + 1}",
        }[number]
    )
    assert suffices(before, after, Bump[number.upper()])
