"""What a document means, beside what it means to ruamel.yaml: pure Python, YAML 1.2."""

# ruff: noqa: PT017  (either no error, or ours: pytest.raises cannot say so)
from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pv.document import Document, load, parse
from pv.errors import DocumentError, PvError

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the outside corpus is not here")


def peer(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def same(ours: Any, theirs: Any) -> bool:
    """Equal in value and type, all the way down; 1, 1.0 and True are three values."""
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs)


@needs_corpus
@pytest.mark.parametrize("path", sorted(CORPUS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_values_and_places_of_the_corpus_are_ruamels(path: Path) -> None:
    document = load(path)
    tree = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8"))
    assert same(document.value, plain(tree))
    assert places(document, tree, ()) > 10


def plain(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [plain(value) for value in tree]
    for kind in (bool, int, float, str):
        if isinstance(tree, kind):
            return kind(tree)
    return tree


def places(document: Document, tree: Any, path: tuple[str | int, ...]) -> int:
    """Compare the places of every key and item; return how many were compared."""
    compared = 0
    lc: Any = getattr(tree, "lc", None)
    if isinstance(tree, dict):
        for key, value in tree.items():
            line, column = lc.key(key)
            where = document.where_key(*path, key)
            assert (where.line, where.column) == (line + 1, column + 1)
            compared += 1 + places(document, value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            line, column = lc.item(index)
            where = document.where(*path, index)
            assert (where.line, where.column) == (line + 1, column + 1)
            compared += 1 + places(document, value, (*path, index))
    return compared


# Line separators and bidirectional controls are refused on purpose; ruamel takes dates and 1_000 for more.
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" \n"), max_size=20
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
documents = st.dictionaries(texts, values, min_size=1, max_size=4)


@settings(deadline=None)
@given(documents)
def test_a_json_document_means_the_same_to_json_to_ruamel_and_to_us(value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    ours = parse(text, "a").value
    assert same(ours, value)
    assert same(ours, peer(text))


@settings(deadline=None)
@given(documents, st.booleans())
def test_what_ruamel_writes_means_the_same_to_us(value: dict[str, Any], flow: bool) -> None:
    stream = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = flow
    writer.dump(value, stream)
    text = stream.getvalue()
    try:
        ours = parse(text, "a").value
    except DocumentError as error:
        # Within brackets libyaml does not read ?a and :a as plain text; refused, never misread.
        assert error.code == "YAML-001"
        assert flow
    else:
        assert same(ours, peer(text))


PIECES = [
    "a",
    "b",
    "1",
    " ",
    "\n",
    "\n  ",
    "\n- ",
    "- ",
    ": ",
    ":",
    ", ",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "?",
    "? ",
]
PIECES += ["|\n ", ">\n ", "#", " #", "&x ", "*x", "!", "%", "@", "-", ".", "~", "\t", "|-\n  ", "x: ", "y: "]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_where_both_read_a_text_they_read_the_same(text: str) -> None:
    try:
        ours = parse(text, "a").value
    except DocumentError as error:
        assert error.code.startswith("YAML-")
        assert error.where is not None
        return
    try:
        with warnings.catch_warnings(action="ignore"):
            theirs = peer(text)
    except YAMLError:
        return
    assert same(ours, theirs)


NUMERIC = st.text("0123456789+-.eExXoOabfnullNULtrueTRUE~", max_size=8)


@settings(deadline=None)
@given(NUMERIC)
def test_a_plain_scalar_means_what_it_means_to_ruamel(text: str) -> None:
    document = f"[{text}]"
    try:
        ours = parse(document, "a").value
    except PvError as error:
        assert error.code in {"YAML-001", "YAML-005"}
        return
    theirs = peer(document)
    if same(ours, theirs):
        return
    # The three places where ruamel goes beyond the core schema: signed octal and hexadecimal, 0b, and
    # where it stays behind: a leading point without a sign before the exponent, a date of digits.
    lowered = text.lower()
    beyond = lowered.lstrip("+-").startswith(("0o", "0x", "0b"))
    assert beyond or text.lstrip("+-").startswith(".") or lowered.count("-") == 2
