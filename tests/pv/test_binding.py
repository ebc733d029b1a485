from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pv.binding import Parameter, bind
from pv.check import Metric
from pv.config import Config
from pv.errors import BindingError

GOOD = """
import nowhere_to_be_found
raise RuntimeError("this runs nothing")
@check(metrics=[Metric("a", unit="s", low=0.0, slack=1e-3), Metric("b", kind="count")])
def f(run, *, role, argument=1): ...
@f.counter_example("broken", of="role")
def _(role): ...
@g.counter_example("of another", of="role")
def _(role): ...
"""


def bound(root: Path, text: str, reference: str = "m:f") -> object:
    (root / "m.py").write_text(text, encoding="utf-8")
    return bind(reference, Config(root, (), root / "evidence", (root,), {}))


def test_a_check_is_read_without_being_imported(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(GOOD, encoding="utf-8")
    binding = bind("m:f", Config(tmp_path, (), tmp_path / "evidence", (tmp_path,), {}))
    assert dict(binding.metrics) == {
        "a": Metric("a", unit="s", low=0.0, slack=1e-3),
        "b": Metric("b", kind="count"),
    }
    assert binding.parameters == (Parameter("role", required=True), Parameter("argument", required=False))
    assert dict(binding.counter_examples) == {"broken": "role"}
    assert (binding.where.path, binding.where.line) == ("m.py", 5)
    assert "m" not in sys.modules


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("def f(", "def h(", "m.py defines no function f"),
        ("@check(metrics=", "@other(metrics=", "m.py:5:1: error: f is a function but not a check"),
        ('[Metric("a"', '[*[], Metric("a"', r"m.py:4:\d+: error: not a Metric"),
        ("low=0.0", "low=LOW", r"m.py:4:\d+: error: cannot be read as a metric"),
        ("low=0.0", "low=1.0, high=0.0", "low 1.0 is above high 0.0"),
        ('Metric("b"', 'Metric("a"', "metric a is declared twice"),
        ("metrics=[", "metrics=list([", "must be written out as a list"),
        ("(run, *, role", "(run, role, *", "must take the run and keyword-only parameters"),
        ('"broken", of="role"', '"broken", of=ROLE', "declared with two literal words"),
        ('@g.counter_example("of another"', '@f.counter_example("broken"', "'broken' is declared twice"),
        ("def f(", "def f((", "cannot be parsed as Python"),
    ],
)  # fmt: skip
def test_what_cannot_be_bound_says_where_and_why(tmp_path: Path, old: str, new: str, why: str) -> None:
    text = GOOD.replace(old, new, 1)
    if "list([" in new:
        text = text.replace('kind="count")])', 'kind="count")]))')
    assert text != GOOD
    with pytest.raises(BindingError, match=why):
        bound(tmp_path, text)


@pytest.mark.parametrize("reference", ["m", "m:", ":f", "m:f.g", "m/../x:f", "m:f:g"])
def test_what_names_no_check(tmp_path: Path, reference: str) -> None:
    with pytest.raises(BindingError, match="does not name a check"):
        bound(tmp_path, GOOD, reference)


def test_a_module_outside_of_the_sources(tmp_path: Path) -> None:
    with pytest.raises(BindingError, match="none of the project's sources"):
        bound(tmp_path, GOOD, "json:loads")
