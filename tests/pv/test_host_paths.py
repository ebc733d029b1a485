from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.host_paths import without_host_paths

if TYPE_CHECKING:
    from tests.pv.conftest import Project

HOME = str(Path.home())
PROJECT = f"{HOME}/models"
TOLD = without_host_paths(PROJECT, f"{PROJECT}/.pv/scratch-1")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{PROJECT}/a/model.gguf: cut short", "a/model.gguf: cut short"),
        (f"in {PROJECT}", "in ."),
        (f"{PROJECT}/.pv/scratch-1/x and {PROJECT}/y", "SCRATCH/x and y"),
        (f"{HOME}/.cache/hub", "~/.cache/hub"),
        ("/tmp/x.bin", "TMP/x.bin"),  # noqa: S108 -- a text
        ("model.layers.0 / 3", "model.layers.0 / 3"),
        ("/usr/lib/x.so", "/usr/lib/x.so"),
        ("", ""),
    ],
)
def test_places_of_the_host_are_named_by_a_word(
    text: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    assert without_host_paths(PROJECT, f"{PROJECT}/.pv/scratch-1")(text) == wanted


@given(st.lists(st.sampled_from([PROJECT, HOME, "/", "a", " ", ".pv", "scratch-1"])).map("".join))
def test_nothing_is_left_of_them(text: str) -> None:
    told = TOLD(text)
    assert PROJECT not in told
    assert f"{HOME}/" not in told
    assert TOLD(told) == told or "~" in told


def test_evidence_names_no_place_of_its_host(project: Project) -> None:
    project.contract(
        check="small_checks.devices:says",
        subjects=None,
        **{"with": {"text": f"{project.root}/data/shipped.txt: too short", "value": 1.0}},
        expect=["min(x) >= 1", "all(said != '')"],
        counter_examples=["least"],
    )
    ended = project.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 0, ended.said
    record = project.record()
    predicate = json.loads(record.read_text())["predicate"]
    assert predicate["check"]["arguments"]["text"].startswith(
        os.fspath(project.root)
    )  # the author's own word
    del predicate["check"], predicate["inputs"], predicate["seal"]
    assert "data/shipped.txt: too short" in json.dumps(predicate)
    assert os.fspath(project.root) not in json.dumps(predicate)
