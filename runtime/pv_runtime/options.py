"""Every option of a program, read from its parser: what it is called, what it takes, and what its help says.

Nothing is known here of any command. A parser is walked as :mod:`argparse` made it, sub-commands and all, so
that what is said of options elsewhere can be held against it.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Command", "Option", "commands_of"]


@dataclasses.dataclass(frozen=True)
class Option:
    """What one word of a command line can be.

    Parameters
    ----------
    command
        The program and its sub-commands: ``"apr run"``.
    names
        How it is written, the longest first; of what has no name but a place, its metavar alone.
    dest
        The attribute of the namespace that it ends in.
    value
        What follows it, such as ``"N"`` or ``"cpu|cuda"``; empty for a switch, and for what has a place.
    help
        As the parser has it.
    acts_alone
        Whether nothing need read it: it acts as it is parsed (``--version``), or has one value alone.
    """

    command: str
    names: tuple[str, ...]
    dest: str
    value: str
    help: str
    acts_alone: bool

    @property
    def name(self) -> str:
        """The name by which it is shown."""
        return self.names[0]

    @property
    def has_place(self) -> bool:
        """Whether it is given by where it stands, without a name."""
        return not self.name.startswith("-")


@dataclasses.dataclass(frozen=True)
class Command:
    """A command that can be run: its options, and the functions that are handed the parsed namespace.

    `handlers` is the name of a default → the function: what ``set_defaults(run=…)`` was given.
    """

    name: str
    options: tuple[Option, ...]
    handlers: dict[str, Callable[..., Any]]


def commands_of(parser: argparse.ArgumentParser) -> Iterator[Command]:
    """Yield every command of `parser`, those of sub-parsers in their place; ``--help`` is left out.

    What a parser has beside its sub-parsers (``apr --version``) is a command of its own where there is any.
    """
    yield from _walked(parser, {})


def _walked(parser: argparse.ArgumentParser, inherited: dict[str, Callable[..., Any]]) -> Iterator[Command]:
    handlers = {
        **inherited,
        **{name: value for name, value in parser._defaults.items() if callable(value)},  # noqa: SLF001
    }
    actions = [action for action in parser._actions if not _is_help(action)]  # noqa: SLF001 - argparse shows none
    below = [action for action in actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    options = tuple(_option(parser, action, actions) for action in actions if action not in below)
    if options or not below:
        yield Command(parser.prog, options, handlers)
    for action in below:
        for command in action.choices.values():
            yield from _walked(command, handlers)


def _is_help(action: argparse.Action) -> bool:
    return isinstance(action, argparse._HelpAction)  # noqa: SLF001


def _option(
    parser: argparse.ArgumentParser, action: argparse.Action, actions: list[argparse.Action]
) -> Option:
    shown = action.metavar if isinstance(action.metavar, str) else None
    if action.option_strings:
        names = tuple(sorted(action.option_strings, key=len, reverse=True))
        value = "" if action.nargs == 0 else shown or _choices(action) or action.dest.upper()
    else:
        names, value = (shown or _choices(action) or action.dest,), ""
    together = [each for each in actions if each.dest == action.dest]
    alone = all(_acts_alone(each, together[0].default) for each in together)
    said = (action.help or "").replace("%%", "%")
    return Option(parser.prog, names, action.dest, value, said, alone)


def _choices(action: argparse.Action) -> str:
    return "|".join(map(str, action.choices)) if action.choices is not None else ""


def _acts_alone(action: argparse.Action, default: object) -> bool:
    if isinstance(action, argparse._VersionAction) or type(action).__module__ != argparse.__name__:  # noqa: SLF001
        return True
    values = action.choices if action.choices is not None else [action.const] if action.nargs == 0 else None
    return values is not None and [*values] == [default]
