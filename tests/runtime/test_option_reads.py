from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pv_runtime import cli
from pv_runtime.option_reads import reads_of
from pv_runtime.options import commands_of

Write = Callable[..., Any]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Write]:
    """Write modules of a package of its own, and import the first."""
    package = f"package_{abs(hash(request.node.name))}"
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(main: str, **others: str) -> Any:
        folder = tmp_path / package
        folder.mkdir()
        for name, text in {"__init__": "", "main": main, **others}.items():
            body = textwrap.dedent(text).replace("PACKAGE", package)
            (folder / f"{name}.py").write_text(body, encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module(f"{package}.main")

    yield make
    for name in [each for each in sys.modules if each.split(".", maxsplit=1)[0] == package]:
        del sys.modules[name]


def reads(module: Any, **handlers: Any) -> set[str]:
    return {*reads_of({"run": module.run, **handlers}).attributes}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return a.one", {"one"}),
        ("a.one = 1", set()),
        ("a.one = a.two", {"two"}),
        ("return [x for x in (lambda: a.one)()]", {"one"}),
        ("return getattr(a, 'one')", {"one"}),
        ("return {n: getattr(a, n) for n in NAMES}", {"one", "two"}),
        ("return [getattr(a, n) for n, low in LEAST.items()]", {"one", "two"}),
        ("return [getattr(a, n) for n in FAR]", {"far"}),
        ("return [getattr(a, f'{s}_end') for s in ('left', 'right')]", {"left_end", "right_end"}),
        ("return [getattr(a, each.name) for each in dataclasses.fields(Record)]", {"one", "two"}),
        ("return helper(a)", {"helped"}),
        ("return helper(1, other=a)", {"other"}),
        ("return far.helper(a)", {"afar"}),
        ("return named(a, 'one')", {"one"}),
        ("other = a\n    return other.one", set()),  # not followed: rather reported for nothing
        ("return b.one", set()),
    ],
)
def test_what_is_read_is_found(write: Write, body: str, expected: set[str]) -> None:
    head = """
    import dataclasses
    from PACKAGE import far
    from PACKAGE.far import FAR
    NAMES = ["one", "two"]
    LEAST = {"one": 1, **{n: 0 for n in ("two",)}}
    b = None
    @dataclasses.dataclass
    class Record:
        one: int
        two: int
    def helper(x, other=None):
        return x.helped or other.other
    def named(x, name):
        return getattr(x, name)
    """
    text = f"{textwrap.dedent(head)}def run(a):\n    {body}\n"
    far = "FAR = ('far',)\ndef helper(x):\n    return x.afar\n"
    found = reads(write(text, far=far))
    assert expected <= found
    assert found - expected <= {"helped", "other"}


def test_an_action_of_the_namespace_is_followed(write: Write) -> None:
    module = write("def run(a):\n    return a.action(a, 1)\ndef act(a, n):\n    return a.one\n")
    assert reads(module) == {"action"}
    assert reads(module, action=module.act) == {"action", "one"}


def test_a_command_of_ours_reads_all_that_it_offers_and_in_which_files_is_told() -> None:
    diff = next(each for each in commands_of(cli.parser()) if each.name == "apr diff")
    found = reads_of(diff.handlers)
    assert {each.dest for each in diff.options} <= found.attributes
    assert {file.name for file in found.files} == {"diff.py", "diff_stages.py"}
