"""The page of all options, made from the parsers; and how far parsers, code, page and tests agree.

python -m docs.options                            write docs/options.md
python -m docs.options measure apr|pv [PLANTED]   print as JSON what is measured, under a planted defect
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from pv_runtime.option_reads import reads_of
from pv_runtime.options import Command, Option, commands_of

from docs.options_given import ROOT, given_in

__all__ = ["PAGE", "PLANTED", "measured", "page", "parser_of"]

PAGE = ROOT / "docs/options.md"
_HEAD = """# Options

Every option of `apr` and `pv`, as their parsers have it. This page is made from them by `python -m
docs.options`; the last column names a test that gives the option, or a page whose commands a test runs.

An option that was given is used, or the command stops: with an exit code that is not 0, with a message
that names the option, and before it has made anything. `contracts/options-v1.yaml` has the falsifiers.
Two things are no exception. An option that allows something (`--force`, `--allow-declined`) has no effect
where that does not come up. Of an option that is given twice, and of two that say the same in two ways
(`--json`, `--format`), the last one counts.
"""
_ROW = re.compile(r"^\| (.+?) \| (.*?) \| (.*?) \|$")


def parser_of(program: str) -> argparse.ArgumentParser:
    """Return the whole parser of ``apr`` or ``pv``.

    Modules are imported by name here, since a change of what they import late changes no option.
    """
    if program == "apr":
        return cast("argparse.ArgumentParser", importlib.import_module("pv_runtime.cli").parser())
    return cast("argparse.ArgumentParser", importlib.import_module("pv.cli").parser((), whole=True))


def page() -> str:
    """Return the page as it should be."""
    parts = [_HEAD]
    for program in ("apr", "pv"):
        for command in commands_of(parser_of(program)):
            rows = [f"| {_shown(each)} | {_cell(each.help)} | {_given(each)} |" for each in command.options]
            if rows:
                head = ["| option | what it says | given in |", "|---|---|---|"]
                parts.append("\n".join([f"## {command.name}", "", *head, *rows, ""]))
    return "\n".join(parts)


def _shown(option: Option) -> str:
    first = f"{option.name} {option.value}".rstrip()
    return _cell(", ".join(f"`{each}`" for each in (first, *option.names[1:])))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _given(option: Option) -> str:
    if option.has_place:
        return ""
    place = given_in(option.command, option.names)
    return f"`{place}`" if place else ""


@dataclasses.dataclass(frozen=True)
class _Surfaces:
    """What is compared: the commands of a parser, and the rows of the page by command."""

    commands: list[Command]
    rows: dict[str, dict[str, tuple[str, str]]]


def _surfaces(program: str) -> _Surfaces:
    rows: dict[str, dict[str, tuple[str, str]]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, *lines = part.splitlines()
        found = [match.groups() for line in lines if (match := _ROW.match(line))]
        if title.split()[0] == program:
            rows[title] = {option: (said, given) for option, said, given in found if option.startswith("`")}
    return _Surfaces([*commands_of(parser_of(program))], rows)


def measured(program: str, planted: str | None = None) -> dict[str, Any]:
    """Measure `program` under the defect `planted`; all but the counts are 0 or 1 for each option.

    `unread` is 1 where no code that runs the command reads the option, `undocumented` where the page lacks it
    or says something else, `untested` where the page names no test that gives it.
    """
    surfaces = _surfaces(program)
    if planted is not None:
        surfaces = PLANTED[planted](surfaces)
    unread, undocumented, untested = {}, {}, {}
    known: set[tuple[str, str]] = set()
    for command in surfaces.commands:
        reads = reads_of(command.handlers).attributes if "run" in command.handlers else frozenset()
        for option in command.options:
            label = f"{command.name} {option.name}"
            said, given = surfaces.rows.get(command.name, {}).get(_shown(option), ("", ""))
            known.add((command.name, _shown(option)))
            unread[label] = int(not option.acts_alone and option.dest not in reads)
            undocumented[label] = int(not said or said != _cell(option.help))
            if not option.has_place:
                untested[label] = int(not given)
    made_up = {(title, option) for title, rows in surfaces.rows.items() for option in rows} - known
    return {
        "commands": len(surfaces.commands),
        "options": len(unread),
        "named": len(untested),
        "unread": unread,
        "undocumented": undocumented,
        "untested": untested,
        "made_up": len(made_up),
    }


def _with(surfaces: _Surfaces, change: Callable[[Option], Option]) -> _Surfaces:
    """Change the last option of the last command."""
    *before, command = surfaces.commands
    options = (*command.options[:-1], change(command.options[-1]))
    return dataclasses.replace(surfaces, commands=[*before, dataclasses.replace(command, options=options)])


def _without_row(surfaces: _Surfaces, cells: tuple[str, str] | None) -> _Surfaces:
    """Let the page have `cells` for the last named option, or no row of it at all."""
    option = [each for each in surfaces.commands[-1].options if not each.has_place][-1]
    rows = {title: dict(found) for title, found in surfaces.rows.items()}
    said, _ = rows[option.command].pop(_shown(option))
    if cells is not None:
        rows[option.command][_shown(option)] = (cells[0] or said, cells[1])
    return dataclasses.replace(surfaces, rows=rows)


def _option_of_nothing(surfaces: _Surfaces) -> _Surfaces:
    """Let the page tell of an option that no parser has."""
    title = surfaces.commands[-1].name
    rows = {**surfaces.rows, title: {**surfaces.rows[title], "`--no-such`": ("help", "`a test`")}}
    return dataclasses.replace(surfaces, rows=rows)


PLANTED: dict[str, Callable[[_Surfaces], _Surfaces]] = {
    "nothing_reads_it": lambda s: _with(s, lambda o: dataclasses.replace(o, dest="other", acts_alone=False)),
    "the_page_lacks_it": lambda s: _without_row(s, None),
    "the_page_says_otherwise": lambda s: _without_row(s, ("something else", "`a test`")),
    "no_test_gives_it": lambda s: _without_row(s, ("", "")),
    "the_page_makes_one_up": _option_of_nothing,
    "a_command_is_left_out": lambda s: dataclasses.replace(s, commands=s.commands[:-1]),
}
"""Planted defects, of what is compared."""


def _lines(arguments: Sequence[str]) -> Iterator[str]:
    match arguments:
        case []:
            PAGE.write_text(page(), encoding="utf-8")
            yield f"wrote {PAGE.relative_to(ROOT)}"
        case ["measure", program, *planted]:
            yield json.dumps(measured(program, *planted))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    print(*_lines(sys.argv[1:]), sep="\n")
