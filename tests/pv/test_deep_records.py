"""Records that are nested more deeply than Python reads: named, by every command that looks at records."""

from __future__ import annotations

import pytest

from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


@pytest.mark.parametrize(
    "words",
    [("validate", "contracts"), ("status",), ("evidence", "verify"), ("sweep", "--dry-run"), ("explain", ID)],
)
@pytest.mark.parametrize("text", ["[" * 100_000, '{"predicate":' * 100_000, '{"a": 9e999}', "9" * 5000])
def test_no_record_is_taken_for_a_defect_of_pv(words: tuple[str, ...], text: str, project: Project) -> None:
    folder = project.root / "evidence" / "small-v1" / ID
    folder.mkdir(parents=True)
    (folder / "live-shipped-cpu.json").write_text(text)
    ended = project.pv(*words)
    assert "a defect of pv" not in ended.said
    assert ended.code in {0, 1}


@pytest.mark.parametrize("text", ["a = " + "[" * 3000, "a = " + "9" * 5000, "# " + "x" * (1 << 20)])
def test_a_configuration_that_cannot_be_read_is_a_wrong_one(text: str, project: Project) -> None:
    (project.root / "pv.toml").write_text(text)
    ended = project.pv("status")
    assert (ended.code, ended.out) == (2, "")
    assert "pv.toml:1:1: error: cannot read it as TOML: " in ended.err
