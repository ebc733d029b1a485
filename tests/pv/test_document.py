# ruff: noqa: PT017  (either no error, or ours: pytest.raises cannot say so)
from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.document import MAXIMUM_BYTES, MAXIMUM_DEPTH, MAXIMUM_VALUES, load, parse
from pv.errors import DocumentError, PvError, SelectionError


def refused(text: str) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        parse(text, "a.yaml")
    assert caught.value.remedy
    assert caught.value.where is not None
    return caught.value


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: [1, 2", "YAML-001", 2, 1),
        ("a: b: c", "YAML-001", 1, 5),
        ("\ta: 1", "YAML-001", 1, 1),
        ("a: *nowhere", "YAML-001", 1, 4),
        ("%YAML 1.1\n---\na: 1", "YAML-001", 1, 1),
        ("a: 1\nb:\n  c: 1\n  c: 2", "YAML-002", 4, 3),
        ('a: 1\n"a": 2', "YAML-002", 2, 1),
        ("[" * 3000, "YAML-003", 1, 65),
        ("- " * 3000, "YAML-003", 1, 129),
        ("a: &a [*a]", "YAML-004", 1, 8),
        ("a: .nan", "YAML-005", 1, 4),
        ("- 1\n- -.inf", "YAML-005", 2, 3),
        ("a: 1e309", "YAML-005", 1, 4),
        ("a: 1e-400", "YAML-005", 1, 4),
        ("a: " + "9" * 5000, "YAML-005", 1, 4),
        ("a: 0x" + "f" * 300, "YAML-005", 1, 4),
        ("a: !!float " + "9" * 309, "YAML-005", 1, 4),
        ("", "YAML-007", 1, 1),
        ("# nothing\n", "YAML-007", 1, 1),
        ("---\n...\n", "YAML-007", 1, 1),
        ("a: 1\n---\nb: 2", "YAML-007", 2, 1),
        ("a: !!python/object/apply:os.system [id]", "YAML-008", 1, 4),
        ("a: !!python/name:os.system ''", "YAML-008", 1, 4),
        ("a: !mine 1", "YAML-008", 1, 4),
        ("a: ! 12", "YAML-008", 1, 4),
        ("{?a: 1}", "YAML-001", 1, 3),
        ("[?'a']", "YAML-001", 1, 3),
        ("a: !!int x", "YAML-008", 1, 4),
        ("a: !!map [1]", "YAML-008", 1, 4),
        ("a: !!timestamp 2026-01-01", "YAML-008", 1, 4),
        ("a: &a {x: 1}\nb:\n  <<: *a", "YAML-009", 3, 3),
        ("a: 1\nb: bell\x07", "YAML-010", 2, 8),
        ("a: 1\r\nb: \u202edlog", "YAML-010", 2, 4),
        ("a: x\u2028y", "YAML-010", 1, 5),
        ("a: \ud800", "YAML-010", 1, 4),
        ("a: 1\n1: 2", "YAML-011", 2, 1),
        ("null: 2", "YAML-011", 1, 1),
        ("~: 2", "YAML-011", 1, 1),
        ("true: 2", "YAML-011", 1, 1),
        ("1.10: 2", "YAML-011", 1, 1),
        ("? [a]\n: 1", "YAML-011", 1, 3),
        ("- &a b\n- *a : c", "YAML-011", 2, 3),
    ],
)
def test_what_is_refused_and_where(text: str, code: str, line: int, column: int) -> None:
    error = refused(text)
    assert error.where is not None
    assert (error.code, error.where.line, error.where.column) == (code, line, column)
    assert len(error.what) < 500


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", "no"),
        ("a: on", "on"),
        ("a: 1:30", "1:30"),
        ("a: 2026-02-18", "2026-02-18"),
        ("a: 1_000", "1_000"),
        ("a: 1e-5", 1e-5),
        ("a: 1.0e-6", 1e-6),
        ("a: 010", 10),
        ("a: 0o10", 8),
        ("a: 0x1F", 31),
        ("a: -.5", -0.5),
        ("a: +1.", 1.0),
        ("a: 1.10", 1.1),
        ("a: '1.10'", "1.10"),
        ("a: .", "."),
        ("a: '-'", "-"),
        ("a: '.nan'", ".nan"),
        ("a: nan", "nan"),
        ("a: ٣", "٣"),
        ("a:", None),
        ("a: ~", None),
        ("a: ''", ""),
        ("a: TRUE", True),
        ("a: tRUE", "tRUE"),
        ("a: !!str 1", "1"),
        ("a: !!float 1", 1.0),
        ("a: -0.0", -0.0),
        (f"a: {2**70}", 2**70),
        ('a: "\\u202e"', "\u202e"),
        ("\ufeffa: 1", 1),
    ],
)
def test_what_a_scalar_means(text: str, value: Any) -> None:
    found = parse(text, "a.yaml").value["a"]
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, float):
        assert math.copysign(1, found) == math.copysign(1, value)


def test_a_quoted_merge_sign_is_an_ordinary_key() -> None:
    assert parse("'<<': 1", "a.yaml").value == {"<<": 1}


def test_an_alias_bomb_ends_at_once() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9)]
    text = "\n".join(["l0: &l0 [x, x, x, x, x, x, x, x, x]", *levels])
    start = time.process_time()
    assert refused(text).code == "YAML-004"
    assert time.process_time() - start < 1


def test_depth_counts_through_aliases() -> None:
    deep = "[" * 40 + "]" * 40
    assert parse(f"a: &a {deep}\nb: *a", "a.yaml").value["b"] is not None
    assert refused(f"a: &a {deep}\nb: {'[' * 40}*a{']' * 40}").code == "YAML-003"


@pytest.mark.parametrize("depth", [MAXIMUM_DEPTH, MAXIMUM_DEPTH + 1])
def test_the_depth_limit_is_exact(depth: int) -> None:
    text = "[" * depth + "]" * depth
    if depth > MAXIMUM_DEPTH:
        assert refused(text).code == "YAML-003"
    else:
        assert json.dumps(parse(text, "a.yaml").value) == text


def test_the_limit_of_values_is_exact() -> None:
    items = MAXIMUM_VALUES - 1
    assert len(parse("[" + "a," * items + "]", "a.yaml").value) == items
    assert refused("[" + "a," * (items + 1) + "]").code == "YAML-004"


@pytest.mark.parametrize(
    "unit", ["[", "{", "- ", "? ", "[[a]],", "a: &a\n", ",", '"\\', "%A\n", "!", "|\n", "\n"]
)
def test_a_megabyte_of_anything_ends_soon(unit: str) -> None:
    start = time.process_time()
    refused((unit * MAXIMUM_BYTES)[:MAXIMUM_BYTES])
    assert time.process_time() - start < 5


def test_an_alias_gives_the_value_and_the_anchors_place() -> None:
    document = parse("a: &x {b: 1}\nc: *x\n", "a.yaml")
    assert document.value == {"a": {"b": 1}, "c": {"b": 1}}
    assert str(document.where("c", "b")) == "a.yaml:1:11"
    assert str(document.where_key("c")) == "a.yaml:2:1"


def test_where_falls_back_to_the_nearest_parent() -> None:
    document = parse("a:\n  b:\n  - x: 1\n    y: ünï\n", "a.yaml")
    assert str(document.where("a", "b", 0, "y")) == "a.yaml:4:8"
    assert str(document.where_key("a", "b", 0, "y")) == "a.yaml:4:5"
    assert str(document.where("a", "b", 0, "z")) == "a.yaml:3:5"
    assert str(document.where("a", "b", 7)) == "a.yaml:3:3"
    assert str(document.where("a", "b", "0")) == "a.yaml:3:3"
    assert str(document.where_key("a", "q", "r")) == "a.yaml:1:1"
    assert str(document.where()) == "a.yaml:1:1"


def test_columns_count_characters() -> None:
    assert str(parse('{"größe€": 1, b: 2}', "a").where_key("b")) == "a:1:15"


def test_load_reads_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xbc\r\nb: 2\r\n")
    document = load(path)
    assert document.value == {"a": "ü", "b": 2}
    assert str(document.where("b")) == f"{path}:2:4"


def test_load_refuses_what_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\nb: \xc3\xbc\xff")
    with pytest.raises(DocumentError, match="0xff") as caught:
        load(path)
    assert (caught.value.code, str(caught.value.where)) == ("YAML-010", f"{path}:2:5")
    path.write_bytes("a: 1".encode("utf-16"))
    with pytest.raises(DocumentError) as caught:
        load(path)
    assert caught.value.code == "YAML-010"


def test_load_refuses_more_than_a_mebibyte(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\n#" + b"x" * (MAXIMUM_BYTES - 6))
    assert load(path).value == {"a": 1}
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DocumentError) as caught:
        load(path)
    assert caught.value.code == "YAML-006"


def test_load_refuses_what_is_no_file_and_never_waits(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.yaml"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, Path("/dev/zero"), tmp_path / "none.yaml", Path("a\0b"), Path("x" * 5000)):
        with pytest.raises(SelectionError) as caught:
            load(path)
        assert caught.value.remedy


def test_load_says_why_a_file_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1", encoding="utf-8")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root reads every file; nobody does not
    try:
        with pytest.raises(SelectionError, match="permission denied"):
            load(path)
    finally:
        os.seteuid(user)


def test_the_c_parser_is_used() -> None:
    assert yaml.__with_libyaml__


# The peer: ruamel.yaml, pure Python, YAML 1.2.


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_give_a_document_or_our_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(data)
    try:
        load(path)
    except PvError as error:
        assert error.code.startswith("YAML-")
