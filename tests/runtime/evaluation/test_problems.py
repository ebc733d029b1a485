from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pv_runtime.errors import LoadError
from pv_runtime.evaluation.problems import STOP, read_problems

GOOD: dict[str, Any] = {
    "task_id": "Test/0",
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "canonical_solution": "    return x + 1\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
}
OTHER = {**GOOD, "task_id": "Test/1", "stop": ["\n\n"]}


def lines(*objects: object) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in objects)


@pytest.mark.parametrize("packed", [False, True])
def test_problems_are_read_packed_or_not(tmp_path: Path, packed: bool) -> None:
    content = lines(GOOD) + b"\n  \n" + lines(OTHER).rstrip()
    file = tmp_path / "problems"
    file.write_bytes(gzip.compress(content) if packed else content)
    first, second = read_problems(file)
    assert (first.task_id, first.canonical_solution, first.stop) == (
        "Test/0",
        GOOD["canonical_solution"],
        STOP,
    )
    assert (second.task_id, second.stop) == ("Test/1", ("\n\n",))


def test_a_line_may_hold_what_python_takes_for_ends_of_lines(tmp_path: Path) -> None:
    file = tmp_path / "problems"
    prompt = 'x = "\u2028\u0085\x1c"\n'
    file.write_text(json.dumps({**GOOD, "prompt": prompt}, ensure_ascii=False), encoding="utf-8")
    assert read_problems(file)[0].prompt == prompt


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"task_id": None}, "task_id is NoneType, and not a text"),
        ({"prompt": 7}, "prompt is int, and not a text"),
        ({"prompt": ""}, "prompt is empty"),
        ({"entry_point": "f()"}, "entry_point 'f()' is no name of a function"),
        ({"tests": ""}, "the key 'tests' is not known"),
        ({"stop": "x"}, "stop is no list of texts"),
        ({"stop": [""]}, "stop is no list of texts"),
        ({"test": "def check(candidate:"}, "the test is no Python"),
        ({"test": "def test(candidate): pass"}, "the test defines no function check"),
        ({"test": "x = 1\n\0"}, "the test is no Python"),
        ({"task_id": "Test/0"}, "the task 'Test/0' occurs twice, in line 1 first"),
    ],
)
def test_a_line_that_is_no_problem_is_refused_by_its_number(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    file = tmp_path / "problems"
    file.write_bytes(lines(GOOD) + b"\n" + lines({**OTHER, **change}))
    with pytest.raises(LoadError) as caught:
        read_problems(file)
    assert str(caught.value).startswith(f"{file}:3: ")
    assert said in str(caught.value)


def test_a_key_that_is_missing_is_named(tmp_path: Path) -> None:
    for key in GOOD:
        file = tmp_path / key
        file.write_bytes(lines({name: value for name, value in GOOD.items() if name != key}))
        with pytest.raises(LoadError, match=rf":1: the key '{key}' is missing"):
            read_problems(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no problem"),
        (b"\n\n", "holds no problem"),
        (b"[]\n", ":1: the JSON does not begin"),
        (lines(GOOD) + b"{", ":2: the JSON cannot be parsed"),
        (b'{"task_id": "a", "task_id": "b"}', ":1: the JSON key 'task_id' occurs twice"),
        (b"\xff{}", ":1: the JSON does not begin"),
        (gzip.compress(lines(GOOD))[:-9], "cannot be unpacked"),
        (b"\x1f\x8b nothing", "cannot be unpacked"),
    ],
)
def test_a_file_that_holds_none_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "problems"
    file.write_bytes(content)
    with pytest.raises(LoadError) as caught:
        read_problems(file)
    assert said in str(caught.value)


def test_what_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "problems"
    file.write_bytes(gzip.compress(bytes(65 << 20), compresslevel=1))
    with pytest.raises(LoadError, match="has more than"):
        read_problems(file)
