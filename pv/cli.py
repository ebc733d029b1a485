"""The ``pv`` command: parses and dispatches, nothing else. Commands are imported when they are named."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, Protocol, cast

from pv import __version__
from pv.errors import PvError
from pv.exits import Exit
from pv.printable import printable
from pv.standard_streams import escape_what_cannot_be_encoded, open_closed_streams

__all__ = ["COMMANDS", "ended_by", "main", "parser"]

COMMANDS = {
    "init": "start a project: pv.toml, a first contract, a first check and its counter-example",
    "validate": "check contracts; runs no code of contracts or checks",
    "discharge": "run the checks bound to falsifiers, judge them, record evidence",
    "sweep": "discharge many falsifiers, by a plan and with a journal that survives being killed",
    "gate": "judge what is staged, as it is staged, and say what it makes stale: for hooks and CI",
    "status": "show the status that evidence supports, for every falsifier",
    "report": "write a static site that says what holds, a page a falsifier",
    "coverage": "show which proof obligations are covered by falsifiers that ran",
    "audit": "follow claims from their sources to evidence, and name every link that does not hold",
    "diff": "say in what two versions of contracts differ in meaning, and which evidence that unsettles",
    "graph": "show how contracts, obligations and falsifiers depend on each other",
    "equations": "print the equations of contracts, as text or LaTeX, and what speaks of each",
    "roofline": "say what no machine can exceed, and which claims of speed do",
    "explain": "say what a finding's code means, or all there is to say of a falsifier",
    "evidence": "show and verify records, share them between hosts, and look back at earlier ones",
    "fetch": "bring subjects from the Hugging Face hub here, and hold them against their pinned digests",
    "scaffold": "write skeletons of checks and tests that falsifiers lack, which fail until written",
    "sync": "write the statuses that evidence supports into contracts, and nothing else",
    "migrate": "write old spellings of contracts as they are written now, and nothing else",
    "waivers": "list the failures that somebody took responsibility for, and check that each is in order",
    "schema": "print the JSON Schema of a contract, for editors",
    "doctor": "say what can be judged on this host, what cannot, and why",
}


class Command(Protocol):
    """A module of :mod:`pv.commands`."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, arguments: argparse.Namespace) -> Exit:
        """Do it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``pv`` with `argv` (those of the process by default); return the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    open_closed_streams()
    escape_what_cannot_be_encoded()
    gc.disable()  # what imports make lives to the end: there is nothing to collect
    try:
        arguments = parser(argv).parse_args(argv)
        gc.enable()
        arguments.argv = ("pv", *argv)
        code = arguments.run(arguments)
        sys.stdout.flush()
    except SystemExit:  # the parser printed a help text, or refused the words
        try:
            # argparse hides what keeps it from writing: the interpreter would try again, and end with 120.
            sys.stdout.flush()
        except OSError as error:
            return ended_by(error)
        raise
    except (Exception, KeyboardInterrupt) as error:
        return ended_by(error)
    return int(code)


def ended_by(error: BaseException) -> int:
    """Say what ended a command, while it is being handled; return the exit code."""
    if isinstance(error, PvError):
        _say(error)
        return int(error.exit)
    if isinstance(error, KeyboardInterrupt):
        print("interrupted: nothing more was recorded", file=sys.stderr)
        return int(Exit.INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        _discard_output()  # the reader went away
        return int(Exit.ERROR)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        print(printable(f"error: {place}{error.strerror or error}"), file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:  # the disk is full, say
            _discard_output()
        return int(Exit.ERROR)
    # Python would end with 1, which says that something was judged and rejected.
    import traceback

    print("error: a defect of pv, please report it:", file=sys.stderr)
    for line in traceback.format_exc().splitlines():
        print(printable(line), file=sys.stderr)
    return int(Exit.ERROR)


def _discard_output() -> None:
    """Keep the interpreter from writing at its end what could not be written: it would end with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(error: PvError) -> None:
    for line in str(error).splitlines():
        print(printable(line), file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Repeats words of the command line, which may be names of files, as printable text."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def parser(words: Sequence[str], *, whole: bool = False) -> argparse.ArgumentParser:
    """Return the parser of ``pv``, with the arguments of the command that `words` name, or of the `whole`."""
    made = _Parser(
        prog="pv", description="Contract verification: what was measured, on what, and could it have failed?"
    )
    made.add_argument("--version", action="version", version=f"pv {__version__}")
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    named = next((word for word in words if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if whole or name == named:
            module = cast("Command", importlib.import_module(f"pv.commands.{name}"))
            module.configure(command)
            command.set_defaults(run=module.run)
    return made
