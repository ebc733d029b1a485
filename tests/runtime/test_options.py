from __future__ import annotations

import argparse

from pv_runtime.options import Option, commands_of


def handler(arguments: argparse.Namespace) -> int:
    return int(arguments.count)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="tool")
    made.add_argument("--version", action="version", version="1")
    below = made.add_subparsers(required=True)
    one = below.add_parser("one")
    one.add_argument("file", metavar="FILE", help="what is read")
    one.add_argument("-c", "--count", type=int, help="how many, 100 %% at most")
    one.add_argument_group("others").add_argument("--kind", choices=["a", "b"], default="a")
    one.add_argument("--b", dest="kind", action="store_const", const="b")
    one.set_defaults(run=handler)
    two = below.add_parser("two").add_subparsers(required=True).add_parser("deep")
    two.add_argument("--format", choices=("json",), default="json")
    two.add_argument("--json", dest="format", action="store_const", const="json")
    return made


def test_every_command_has_its_options_as_the_parser_has_them() -> None:
    top, one, deep = commands_of(parser())
    assert [each.name for each in (top, one, deep)] == ["tool", "tool one", "tool two deep"]
    assert one.options == (
        Option("tool one", ("FILE",), "file", "", "what is read", acts_alone=False),
        Option("tool one", ("--count", "-c"), "count", "COUNT", "how many, 100 % at most", acts_alone=False),
        Option("tool one", ("--kind",), "kind", "a|b", "", acts_alone=False),
        Option("tool one", ("--b",), "kind", "", "", acts_alone=False),
    )
    assert [each.has_place for each in one.options] == [True, False, False, False]
    assert (one.handlers, top.handlers, deep.handlers) == ({"run": handler}, {}, {})


def test_what_has_one_value_or_ends_the_program_need_not_be_read() -> None:
    top, _, deep = commands_of(parser())
    assert [each.acts_alone for each in (*top.options, *deep.options)] == [True, True, True]
