from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from pv.builds import Build
from pv.canonical import digest_of
from pv.inputs import Inputs, Module, Used, contradiction

MODULES = {"a": Module("a.py", "1" * 64), "b": Module("b.py", "2" * 64)}
INNER = Build("inner", "source", "3" * 64, "b:make", (("b", "2" * 64),), {"times": 2}, "x.txt", None)
OUTER = Build("outer", "inner", INNER.key, "b:twin", (("b", "2" * 64),), {}, "y.txt", INNER)
INPUTS = Inputs(
    form={"id": "FALSIFY-A-001", "rule": "so"},
    modules=MODULES,
    semantics=1,
    artefacts={"x": OUTER.key, "y": "4" * 64},
    used={"x": Used("outer", "a:open"), "y": Used("plain", "a:open")},
    builds={"inner": INNER, "outer": OUTER},
)


def test_what_was_made_whole_does_not_contradict_itself() -> None:
    assert contradiction(INPUTS.to_json()) == ""
    assert INPUTS.to_json()["clause"] == digest_of(INPUTS.form)


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (lambda j: j["form"].update(rule="not so"), "a clause that has not the digest"),
        (lambda j: j.update(clause="0" * 64), "a clause that has not the digest"),
        (lambda j: j["modules"]["a"].update(sha256="0" * 64), "modules that have not the digest"),
        (lambda j: j["modules"].pop("a"), "modules that have not the digest"),
        (
            lambda j: j["modules"].update(c={"path": "c.py", "sha256": "5" * 64}),
            "modules that have not the digest",
        ),
        (
            lambda j: j["builds"]["outer"]["with"].update(times=3),
            "a build of outer that has not the key of role x",
        ),
        (
            lambda j: j["builds"]["outer"].update(modules={"a": "1" * 64}),
            "a build of outer that has not the key of role x",
        ),
        (
            lambda j: j["builds"]["outer"]["modules"].update(b="9" * 64),
            "two digests of a module of the builder of outer",
        ),
        (lambda j: j["builds"]["outer"].update(builder="b:other"), "a build of outer that has not the key"),
        (
            lambda j: j["builds"]["inner"].update(source="0" * 64),
            "built from inner, but not from that build of it",
        ),
        (lambda j: j["artefacts"].update(x="0" * 64), "a build of outer that has not the key of role x"),
    ],
)
def test_an_explanation_that_is_not_of_its_digest_is_named(
    forge: Callable[[dict[str, Any]], None], said: str
) -> None:
    stated = copy.deepcopy(INPUTS.to_json())
    forge(stated)
    assert said in contradiction(stated)


def test_a_closure_by_paths_explains_builds_as_well() -> None:
    by_path = {"a.py": MODULES["a"], "b.py": MODULES["b"]}
    assert contradiction(dataclasses.replace(INPUTS, modules=by_path).to_json()) == ""


@pytest.mark.parametrize("key", ["form", "modules", "used", "builds", "clause", "check"])
def test_what_is_missing_is_no_set_of_inputs(key: str) -> None:
    stated = INPUTS.to_json()
    del stated[key]
    with pytest.raises(LookupError):
        contradiction(stated)
