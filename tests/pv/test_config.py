from __future__ import annotations

from pathlib import Path

import pytest

from pv.config import find_root, load_config
from pv.errors import ConfigError
from pv.exits import Exit

SUBJECT = '[subjects.a]\npath = "a"\nloader = "m:f"\n'


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    (tmp_path / "pv.toml").write_text("", encoding="utf-8")
    config = load_config(tmp_path)
    assert config.root == tmp_path.resolve()
    assert config.contracts == ("contracts",)
    assert config.evidence == tmp_path / "evidence"
    assert config.sources == (tmp_path.resolve(),)
    assert dict(config.subjects) == {}
    assert (config.store, config.ledger, config.records_to_ledger) == (None, None, False)


def test_the_root_is_found_from_below(tmp_path: Path) -> None:
    (tmp_path / "pv.toml").write_text(SUBJECT, encoding="utf-8")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_root(below) == tmp_path.resolve()
    assert load_config(below).subjects["a"].loader == "m:f"


def test_no_absolute_path_leaves(tmp_path: Path) -> None:
    (tmp_path / "pv.toml").write_text("", encoding="utf-8")
    config = load_config(tmp_path)
    assert config.relative(tmp_path / "x" / "y") == "x/y"
    assert config.relative(Path("/etc/hostname")) == "hostname"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = [", "cannot read it as TOML"),
        ("\x00", "cannot read it as TOML"),
        ("[project]\ntypo = 1\n", "typo"),
        ("[other]\n", "other"),
        ('[project]\ncontracts = "contracts"\n', "contracts"),
        ('[subjects.a]\nloader = "m:f"\n', "path"),
        (SUBJECT.replace("m:f", "m.f"), "loader"),
        (SUBJECT + 'sha256 = "ABC"\n', "sha256"),
        (SUBJECT + 'builder = "m:g"\n', "exactly one name in derived_from"),
        (SUBJECT.replace("subjects.a", 'subjects."../a"'), "subjects"),
        ('[project]\nevidence = "a\\u0000"\n', "project.evidence"),
        ("[store]\n", "store.url"),
        ('[store]\nurl = "folder"\n', "store.url"),
        ('[store]\nurl = "file:///x"\npassword = "p"\n', "store.password"),
        ('[ledger]\nrecord = "yes"\n', "ledger.record"),
        ('[ledger]\nurl = "postgresql:// x"\n', "ledger.url"),
        ('[project]\nsources = ["a\\u0000"]\n', "project.sources.0"),
        ("[signatures]\n", "signatures.policy"),
        ('[signatures]\npolicy = ""\n', "signatures.policy"),
        ('[signatures]\npolicy = "p.toml"\nother = 1\n', "signatures.other"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "pv.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=why) as caught:
        load_config(tmp_path)
    assert caught.value.exit is Exit.USAGE
    assert str(caught.value).startswith("pv.toml:")


def test_without_a_project(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no pv\.toml here or above"):
        load_config(tmp_path)
    assert load_config(tmp_path, required=False).root == tmp_path.resolve()


@pytest.mark.parametrize("circle", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_a_subject_is_not_derived_from_itself(tmp_path: Path, circle: list[str]) -> None:
    text = "".join(
        f'[subjects.{name}]\npath = "x"\nloader = "m:f"\nbuilder = "m:b"\nderived_from = ["{source}"]\n'
        for name, source in zip(circle, circle[1:] + circle[:1], strict=True)
    )
    (tmp_path / "pv.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="it would be derived from itself"):
        load_config(tmp_path)
