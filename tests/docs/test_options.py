"""The page of all options is what the parsers say, and each option is read, told of, and given in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pv_runtime.option_reads import reads_of
from pv_runtime.options import commands_of

from docs.options import PAGE, PLANTED, measured, page, parser_of
from docs.options_given import ROOT, given_in
from pv.cli import COMMANDS
from pv.contract import load_contract

PROGRAMS = ("apr", "pv")
CONTRACT = load_contract(ROOT / "contracts/options-v1.yaml")


def faults(found: dict[str, Any]) -> dict[str, list[str]]:
    """The options that are at fault, by what is wrong with them."""
    series = ("unread", "undocumented", "untested")
    return {name: [label for label, bad in found[name].items() if bad] for name in series}


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m docs.options"


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_is_read_told_of_and_given(program: str) -> None:
    found = measured(program)
    assert faults(found) == {"unread": [], "undocumented": [], "untested": []}
    assert found["made_up"] == 0
    assert found["options"] == len(found["unread"]) == len(found["undocumented"]) > found["named"] > 100


def test_every_command_is_there() -> None:
    named = {each.name.split()[1] for each in commands_of(parser_of("pv")) if " " in each.name}
    assert named == {*COMMANDS}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_defect_is_seen(program: str, planted: str) -> None:
    usual, found = measured(program), measured(program, planted)
    expected = {
        "nothing_reads_it": {"unread"},
        "the_page_lacks_it": {"undocumented", "untested"},
        "the_page_says_otherwise": {"undocumented"},
        "no_test_gives_it": {"untested"},
        "the_page_makes_one_up": set(),
        "a_command_is_left_out": set(),
    }[planted]
    assert {name for name, labels in faults(found).items() if labels} == expected
    if not expected:
        assert (found["made_up"], found["commands"]) != (usual["made_up"], usual["commands"])


@pytest.mark.parametrize(("program", "number"), [("apr", "005"), ("pv", "006")])
def test_evidence_rests_on_every_file_in_which_options_are_read(program: str, number: str) -> None:
    (falsifier,) = [each for each in CONTRACT.falsifiers if each.id == f"FALSIFY-APR-OPTIONS-{number}"]
    sources = [(ROOT / source).resolve() for source in falsifier.sources]
    read = {
        file.resolve()
        for command in commands_of(parser_of(program))
        if "run" in command.handlers
        for file in reads_of(command.handlers).files
    }
    assert {file for file in read if not any(file.is_relative_to(source) for source in sources)} == set()
    assert PAGE in sources


@pytest.mark.parametrize(
    ("command", "option", "place"),
    [
        ("apr run", "--top-k", "tests/runtime/commands/test_run.py"),
        ("pv evidence history", "--last", "tests/pv/evidence_actions/test_evidence_actions.py"),
        ("apr run", "--no-such-option-of-" + "run", None),
    ],
)
def test_where_an_option_is_given_is_found(command: str, option: str, place: str | None) -> None:
    assert given_in(command, (option,)) == place
    assert place is None or option in Path(ROOT, place).read_text(encoding="utf-8")
