"""``pv evidence audit``: measure a drawn part of a record again."""

from __future__ import annotations

import argparse
import json
import sys

from pv.command_line import subjects_given
from pv.config import Config
from pv.errors import ConfigError
from pv.evidence import read_record
from pv.evidence_actions.selecting import falsifier_of, record_named
from pv.exits import Exit
from pv.printable import printable, printable_json
from pv.progress import Progress
from pv.runner import Runner
from pv.subjects import Subjects

__all__ = ["audit", "configure"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence audit``."""
    parser.add_argument("what", metavar="RECORD", help="a record file")
    parser.add_argument(
        "--share", type=float, default=0.01, help="the part of the labels to measure again (default: 0.01)"
    )
    parser.add_argument(
        "--challenge",
        metavar="WORD",
        help="what draws them: something that nobody knew when the record was made (default: random)",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=1e-6,
        help="how far a real number may differ, relative to the larger (default: 1e-6)",
    )
    parser.add_argument(
        "--subject",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="where a subject lies that is elsewhere here; it must have the digest that is on record",
    )


def audit(arguments: argparse.Namespace, config: Config) -> Exit:
    """Measure again what the challenge draws, and say what agrees and what a lie would have risked."""
    # Imported late: of few commands.
    import secrets

    from pv.audit import audit as measure_again
    from pv.measuring import Stop
    from pv.reports.audit import audit_lines

    if not 0 < arguments.share <= 1:
        raise ConfigError(f"--share {arguments.share} is no part", remedy="give a number above 0, up to 1")
    if not 0 <= arguments.tolerance < 1:
        raise ConfigError(f"--tolerance {arguments.tolerance} is none", remedy="give a small number, or 0")
    path = record_named(arguments.what, config)
    record = read_record(path)
    item = falsifier_of(record, config)
    challenge = secrets.token_hex(16) if arguments.challenge is None else arguments.challenge
    subjects = Subjects(config, subjects_given(arguments.subject))
    with Runner(config.root / ".pv") as runner, Progress(sys.stderr) as progress:
        try:
            with progress.of(item.falsifier.id) as tell:
                found = measure_again(
                    record, item.falsifier, config, subjects, runner,
                    challenge=challenge, share=arguments.share, tolerance=arguments.tolerance, tell=tell,
                )  # fmt: skip
        except Stop as stop:
            word = "declined" if stop.outcome == "Declined" else "error"
            print(printable(f"{config.relative(path)}: {word}: {stop.message}"), file=sys.stderr)
            print(*(f"    {printable(line)}" for line in stop.detail.splitlines()), sep="\n", file=sys.stderr)
            return Exit.DECLINED if stop.outcome == "Declined" else Exit.ERROR
    if arguments.format == "json":
        print(printable_json(json.dumps({"record": config.relative(path), **found.to_json()}, indent=1)))
    else:
        address = f"{item.contract.stem}#{item.falsifier.id}"
        print(*map(printable, audit_lines(found, record, config.relative(path), address)), sep="\n")
    return Exit.REJECTED if found.disagreements else Exit.ACCEPTED
