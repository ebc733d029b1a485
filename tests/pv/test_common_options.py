from __future__ import annotations

import argparse

import pytest

from pv.common_options import add_format_argument, add_review_arguments


@pytest.mark.parametrize(
    ("choices", "words", "chosen"),
    [
        (("text", "json"), (), "text"),
        (("text", "json"), ("--json",), "json"),
        (("text", "dot", "json"), ("--format", "dot"), "dot"),
        (("json",), (), "json"),
    ],
)
def test_the_first_form_is_the_usual_one(
    choices: tuple[str, ...], words: tuple[str, ...], chosen: str
) -> None:
    parser = argparse.ArgumentParser()
    add_format_argument(parser, choices)
    assert parser.parse_args(words).format == chosen


def test_another_form_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_format_argument(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--format", "dot"])
    assert "invalid choice: 'dot'" in capsys.readouterr().err


@pytest.mark.parametrize("grouped", [False, True])
def test_what_nobody_has_reviewed_is_told_in_a_command_or_in_a_group_of_its_options(grouped: bool) -> None:
    parser = argparse.ArgumentParser()
    add_review_arguments(parser.add_argument_group("a change") if grouped else parser)
    assert vars(parser.parse_args([])) == {"base": None, "trust": False}
    assert vars(parser.parse_args(["--base", "main", "--trust"])) == {"base": "main", "trust": True}
