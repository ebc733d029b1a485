"""Code of the project that exchanges what measures it is named, whatever it was measured to be."""

from __future__ import annotations

import builtins
import copy
import struct
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pv.check import CheckError
from pv.properties import comparing, measure, search
from pv.properties.stated import Tolerance
from pv.properties.untouched import untouched


def always(*_: Any, **__: Any) -> tuple[float, bool]:
    return 0.0, True


def test_what_stays_as_it_was_is_no_matter() -> None:
    with untouched(solver=False, drawn=True):
        assert comparing.apart(1, 2, Tolerance()) == (1.0, False)


@pytest.mark.parametrize(
    ("owner", "name", "value", "said"),
    [
        (comparing, "apart", always, "pv.properties.comparing.apart"),
        (measure, "apart", always, "pv.properties.measure.apart"),
        (search.Found, "add", lambda *_: None, "pv.properties.search.Found.add"),
        (builtins, "abs", lambda _: 0, "builtins.abs"),
        (np, "array_equal", lambda *_: True, "numpy.array_equal"),
        (struct, "pack", lambda *_: b"", "struct.pack"),
        (copy, "deepcopy", lambda value: value, "copy.deepcopy"),
        (comparing, "max", lambda *_: 0.0, "its own max into pv.properties.comparing"),
    ],
)
def test_what_is_exchanged_is_named(
    owner: Any, name: str, value: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CheckError, match=said), untouched(solver=False, drawn=False):
        monkeypatch.setattr(owner, name, value, raising=False)
    monkeypatch.undo()


def test_code_that_is_put_into_a_function_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckError, match=r"comparing\.apart"), untouched(solver=False, drawn=False):
        monkeypatch.setattr(comparing.apart, "__code__", always.__code__)
    monkeypatch.undo()


def test_a_module_that_is_exchanged_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(CheckError, match=r"the module pv\.properties\.laws"),
        untouched(solver=False, drawn=False),
    ):
        monkeypatch.setitem(sys.modules, "pv.properties.laws", types.ModuleType("laws"))
    monkeypatch.undo()


def test_the_solver_and_what_draws_are_watched_where_they_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    z3 = pytest.importorskip("z3", reason="needs the extra properties: z3-solver")
    import hypothesis

    with pytest.raises(CheckError, match=r"Solver\.check"), untouched(solver=True, drawn=False):
        monkeypatch.setattr(z3.Solver, "check", lambda _: z3.unsat)
    monkeypatch.undo()
    with pytest.raises(CheckError, match=r"hypothesis\.given"), untouched(solver=False, drawn=True):
        monkeypatch.setattr(hypothesis, "given", always)
    monkeypatch.undo()


def test_all_modules_of_properties_are_watched() -> None:
    from pv.properties import untouched as module

    parts = {path.stem for path in Path(str(module.__file__)).parent.glob("*.py")} - {
        *("__init__", "untouched", "version", "metrics", "names", "proof", "translate")
    }
    assert parts == set(module._PARTS)
