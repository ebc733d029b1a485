"""``pv evidence diff`` and ``pv evidence reproduce``: a record beside another, or beside a run of today."""

from __future__ import annotations

import argparse
import json
import sys

from pv.command_line import subjects_given
from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import Record, read_record
from pv.evidence_actions.selecting import falsifier_of, record_named, records_named
from pv.exits import Exit, worst
from pv.outcome import EXITS
from pv.printable import printable, printable_json
from pv.progress import Progress
from pv.runner import Runner
from pv.subjects import Subjects
from pv.verify import verify

__all__ = ["configure_diff", "configure_reproduce", "diff", "reproduce"]


def configure_diff(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence diff``."""
    parser.add_argument("first", metavar="A", help="a record file")
    parser.add_argument("second", metavar="B", help="another")


def configure_reproduce(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence reproduce``."""
    parser.add_argument("what", nargs="+", metavar="ID|PATH", help="falsifiers, contracts or record files")
    parser.add_argument(
        "--subject",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="where a subject lies that is elsewhere here",
    )


def diff(arguments: argparse.Namespace, config: Config) -> Exit:
    """Say in what two records differ; it is no verdict, so that it fails only where it cannot be said."""
    from pv.record_differences import compare_records
    from pv.reports.record_differences import difference_lines

    paths = [record_named(word, config) for word in (arguments.first, arguments.second)]
    records = [read_record(path) for path in paths]
    for record in records:
        verify(record, anywhere=True)
    found = compare_records(*records)
    names = [config.relative(path) for path in paths]
    if arguments.format == "json":
        print(
            printable_json(json.dumps({"first": names[0], "second": names[1], **found.to_json()}, indent=1))
        )
    else:
        print(printable(f"first   {names[0]}"), printable(f"second  {names[1]}"), sep="\n")
        print(*map(printable, difference_lines(found)), sep="\n")
    return Exit.ACCEPTED


def reproduce(arguments: argparse.Namespace, config: Config) -> Exit:
    """Run again what records say was run, and say what agrees; no evidence is written."""
    records = [read_record(path) for path in records_named(arguments.what, config)]
    subjects = Subjects(config, subjects_given(arguments.subject))
    ended: list[Exit] = []
    shown = []
    with Runner(config.root / ".pv") as runner, Progress(sys.stderr) as progress:
        for record in records:
            exit_code, whole = _one(record, arguments, config, subjects, runner, progress)
            ended.append(exit_code)
            shown.append(whole)
    if arguments.format == "json":
        print(printable_json(json.dumps(shown, indent=1)))
    return worst(ended)


def _one(
    record: Record,
    arguments: argparse.Namespace,
    config: Config,
    subjects: Subjects,
    runner: Runner,
    progress: Progress,
) -> tuple[Exit, dict[str, object]]:
    from pv.evidence_reproduction import reproduce as run_again
    from pv.reports.record_differences import difference_lines

    name, item = config.relative(record.path), falsifier_of(record, config)
    if "basis" in record.predicate:
        cited = sorted({one["falsifier"] for one in record.predicate["basis"].values()})
        raise EvidenceError(
            f"{name} is a gate's: it measured nothing", remedy=f"reproduce what it judged: {', '.join(cited)}"
        )
    with progress.of(item.falsifier.id) as tell:
        found = run_again(record, item, config, subjects, runner, tell)
    end, differences = found.end, found.differences
    if differences is None:
        said, ended = f"{end.outcome}: {end.message}", EXITS[end.outcome]
        ended = Exit.REJECTED if ended == Exit.ACCEPTED else ended
        word = "NOT RUN" if ended == Exit.DECLINED else "NOT REPRODUCED"
    else:
        said, ended = "", Exit.ACCEPTED if differences.agree else Exit.REJECTED
        word = "REPRODUCED" if differences.agree else "NOT REPRODUCED"
    if arguments.format == "text":
        print(printable(f"{word}  {name}"))
        print(*map(printable, difference_lines(differences) if differences else [f"  {said}"]), sep="\n")
    whole = {"record": name, "reproduced": ended == Exit.ACCEPTED, "outcome": end.outcome, "why": said}
    return ended, whole | {"differences": differences.to_json() if differences else None}
