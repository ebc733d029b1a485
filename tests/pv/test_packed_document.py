from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pv.document import Document, load, parse
from pv.packed_document import pack_document, unpack_document

RESOURCES = sorted((Path(__file__).parent / "rules" / "resources").glob("*.yaml"))


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for key, child in value.items():
            yield from paths_of(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from paths_of(child, (*path, index))


def assert_same(there: Document, here: Document) -> None:
    assert there == here
    assert repr(there.value) == repr(here.value)  # 1 is not 1.0 here, and keys keep their order
    for path in paths_of(here.value):
        assert there.where(*path) == here.where(*path)
        assert there.where_key(*path) == here.where_key(*path)


@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: path.name)
def test_a_document_and_its_places_come_back(path: Path) -> None:
    here = load(path)
    packed = pack_document(here)
    assert packed is not None
    assert_same(unpack_document(str(path), packed), here)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1.0\nb: 1\nc: -0.0\nd: 1e300\ne: 123456789012345678901234567890\n",
        "ä:\r\n  - 'ü€😀'\r\n  - [x, {y: null}]\r\nz: |\r\n  lines\r\n",
        "{}",
        "just text",
        '- "\\u2028\\x07"\n- ""\n',
    ],
)
def test_of_any_plain_value(text: str) -> None:
    here = parse(text, "a.yaml")
    packed = pack_document(here)
    assert packed is not None
    assert_same(unpack_document("a.yaml", packed), here)


def test_what_has_aliases_cannot_be_packed() -> None:
    assert pack_document(parse("a: &x [1]\nb: *x\n", "a.yaml")) is None
