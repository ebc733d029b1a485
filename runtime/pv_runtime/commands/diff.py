"""``apr diff A B``: whether two model files hold the same tensors, and how far they are apart."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator

from pv_runtime.commands.output import require, show
from pv_runtime.errors import LoadError, printable_json, printable_lines

__all__ = ["register"]

DIFFERENT, NOTHING_SELECTED, UNREAD = 1, 2, 3


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "diff",
        help="compare two model files",
        description="Compare two model files of any format, tensor by tensor, under Hugging Face's names; "
        "or two traces that `apr trace --save-tensor` wrote, stage by stage. "
        "Ends with 0 where they agree, 1 where they differ, 2 where nothing was selected, "
        "3 where a side could not be read.",
    )
    parser.add_argument("a", metavar="A", help="the reference: a file, or a folder that holds exactly one")
    parser.add_argument("b", metavar="B", help="what is compared with it")
    parser.add_argument(
        "--values", action="store_true", help="compare every value, not names and shapes alone"
    )
    parser.add_argument("--filter", metavar="TEXT", default="", help="only tensors whose name contains TEXT")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=_natural,
        help="show the N worst tensors (text: 20; JSON: all); counts the rest",
    )
    parser.add_argument(
        "--transpose-aware",
        action="store_true",
        help="accept a matrix that is stored transposed where its shape says so (needs --values)",
    )
    parser.add_argument(
        "--threshold",
        metavar="X",
        type=_fraction,
        help="largest relative L2 difference accepted, |a-b|/|a| (default 0: equal values; needs --values)",
    )
    parser.add_argument(
        "--verify-origin",
        action="store_true",
        help="hash the files, and say whether one's record of origin names the other",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="for people or programs")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="--format json")
    parser.set_defaults(run=run, unread=UNREAD)


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is no natural number")
    return int(text)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Print the report and return the exit code; raises `FileNotFoundError` for a file that is not there."""
    for path in (arguments.a, arguments.b):
        require(path)
    try:
        return _compared(arguments)
    except LoadError as error:
        print(printable_lines(f"error: {error}"), file=sys.stderr)
        return UNREAD


def _compared(arguments: argparse.Namespace) -> int:
    from pv_runtime import diff, diff_diagnosis, diff_report, diff_stages
    from pv_runtime.formats import open_checkpoint

    given, arguments.threshold = arguments.threshold is not None, arguments.threshold or 0.0
    if diff_stages.applies(arguments.a, arguments.b):  # of traces, values are all there is
        return diff_stages.run(arguments)
    if not arguments.values and (arguments.transpose_aware or given):
        which = "--transpose-aware" if arguments.transpose_aware else "--threshold"
        print(f"error: {which} needs --values: without it no data is compared", file=sys.stderr)
        return NOTHING_SELECTED
    a, b = open_checkpoint(arguments.a), open_checkpoint(arguments.b)
    found = diff.structure(a, b, arguments.filter)
    if not found.pairs and not found.only_a and not found.only_b:
        why = (
            f"no tensor's name contains {arguments.filter!r}"
            if arguments.filter
            else "neither file has tensors"
        )
        print(printable_lines(f"error: {why}: nothing was compared"), file=sys.stderr)
        return NOTHING_SELECTED
    with _progress(len(found.pairs), shown=arguments.values) as advance:
        compared = diff.compare(
            found,
            values=arguments.values,
            transpose_aware=arguments.transpose_aware,
            threshold=arguments.threshold,
            progress=advance,
        )
    compared, diagnosis = diff_diagnosis.diagnosis(compared, found)
    report = diff_report.report(
        a,
        b,
        found,
        compared,
        values=arguments.values,
        threshold=arguments.threshold,
        limit=arguments.limit,
        diagnosis=diagnosis,
        verify_origin=arguments.verify_origin,
    )
    if arguments.format == "json":
        show(printable_json(json.dumps(report, indent=2, allow_nan=False)))
    else:
        show("\n".join(diff_report.lines(report, limit=arguments.limit)))
    if report["equal"]:
        return 0
    unread = all(each.accepted or each.status == "not_comparable" for each in compared)
    return UNREAD if unread and not found.only_a and not found.only_b else DIFFERENT


@contextlib.contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[Callable[[str], None]]:
    """Draw a bar on stderr where that is a terminal."""
    if not shown or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("comparing", total=total)
        yield lambda _: bar.advance(task)
