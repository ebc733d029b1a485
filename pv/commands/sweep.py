"""``pv sweep``: run many falsifiers, and lose nothing whatever happens meanwhile."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.command_line import check_device, portable
from pv.common_options import add_format_argument, add_review_arguments
from pv.config import Config, load_config
from pv.errors import ConfigError, SelectionError
from pv.executors import EXECUTORS, parse_settings
from pv.exits import Exit, worst
from pv.journal import Journal, Reading, latest_journal, read_journal
from pv.outcome import EXITS, Options
from pv.printable import printable, printable_json
from pv.reports.destinations import add_report_argument, reporting
from pv.reports.sweep import plan_lines, print_sweep, sweep_json
from pv.selection import Selected
from pv.subjects import Subjects
from pv.sweep_plan import Hosts, make_plan
from pv.sweep_run import FOLDER, Place, begin, go_on, new_journal_path
from pv.sweep_selection import Wanted, choose
from pv.unreviewed import wanted_base, withheld
from pv.waivers import load_waivers

if TYPE_CHECKING:
    from pv.reports.gathering import Gathered

__all__ = ["configure", "run"]

_AUTO = "auto"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv sweep``."""
    parser.add_argument("what", nargs="*", metavar="PATH|ID", help="default: every contract of the project")
    chosen = parser.add_argument_group("which falsifiers")
    chosen.add_argument(
        "--select", metavar="EXPR", help="those of which it holds: 'status == \"STALE\"', 'needs.gpu != \"\"'"
    )
    chosen.add_argument(
        "--since", metavar="REF", help="those whose clause, sources or subjects changed since a git revision"
    )
    chosen.add_argument("--stale-only", action="store_true", help="those whose status is STALE")
    chosen.add_argument(
        "--lf", "--last-failed", action="store_true", help="those that failed in the last sweep"
    )
    how = parser.add_argument_group("how")
    how.add_argument("--level", choices=("auto", "algorithm", "functional", "live"), help="default: auto")
    how.add_argument("--device", metavar="auto|cpu|cuda[:N]", help="where checks compute (default: auto)")
    how.add_argument("--seed", type=int, default=None, help="seed of every generator (default 0)")
    how.add_argument("--force", action="store_true", help="run again what has fresh evidence")
    how.add_argument(
        "--limits", action="store_true", help="measure how small a damage each notices that has must_detect:"
    )
    how.add_argument("--no-record", action="store_true", help="run and judge, write no evidence")
    how.add_argument(
        "--executor", choices=tuple(EXECUTORS), help="where they run (default: local, on this host)"
    )
    how.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the executor, in place of that in [executors.NAME] of pv.toml; repeatable",
    )
    how.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="how many run at once (default: 1 on this host, else all it has)",
    )
    how.add_argument("--shuffle", type=int, metavar="SEED", help="run in another order")
    how.add_argument(
        "-x", dest="max_fail", action="store_const", const=1, help="begin nothing more after a failure"
    )
    how.add_argument("--max-fail", type=int, metavar="N", help="begin nothing more after N failures")
    how.add_argument("--dry-run", action="store_true", help="print the plan and run nothing")
    strange = parser.add_argument_group("a change that nobody has reviewed")
    add_review_arguments(strange)
    again = parser.add_argument_group("the journal")
    again.add_argument("--journal", type=Path, metavar="FILE", help=f"default: a new one in {FOLDER}/")
    again.add_argument(
        "--resume", action="store_true", help="go on with the sweep of the journal, or with the last one"
    )
    again.add_argument(
        "--retry", action="store_true", help="with --resume, run again what ran when the sweep was killed"
    )
    parser.add_argument(
        "--allow-declined",
        action="store_true",
        help="exit 0 despite declined or unbound, if something passed",
    )
    add_format_argument(parser)
    add_report_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Plan, run, and sum up by the journal.

    Raises
    ------
    SelectionError
        Nothing was selected, or there is nothing to resume.
    ConfigError
        Options contradict each other.
    """
    config = load_config()
    aside = arguments.format == "json"
    with reporting(arguments.report, "sweep", config.root, json_on_stdout=aside) as gathered:
        ended = _run(arguments, config, gathered)
        if gathered is not None:
            gathered.ended = ended
    return ended


def _run(arguments: argparse.Namespace, config: Config, gathered: Gathered | None) -> Exit:
    _check(arguments)
    base = wanted_base(arguments.base, trust=arguments.trust)
    waivers = load_waivers(config)
    waived = {w.address: w for w in waivers.waivers if w.state(waivers.today) == "in force"}
    text = arguments.format == "text"
    options: dict[str, Any] = {
        "failures": arguments.max_fail,
        "forgiven": waived.keys(),
        "stream": sys.stderr,
    }
    if arguments.resume:
        if base is not None:
            raise ConfigError(
                "a journal does not say who wrote it, and in a pull request it may be a stranger's",
                remedy="begin a new sweep; or add --trust",
            )
        path = arguments.journal or latest_journal(config.root / FOLDER)
        if path is None:
            raise SelectionError(f"there is no journal in {FOLDER}", remedy="begin a sweep without --resume")
        journal, reading = Journal.resume(path)
        with journal:
            if text:
                left = f"{len(reading.left)} of {len(reading.planned)} left"
                print(printable(f"resume  {path.name}: {left}"), file=sys.stderr)
            place = Place(reading.sweep["executor"], reading.sweep["settings"])
            executor = place.open(config, path, reading.sweep["options"], arguments.jobs)
            with contextlib.closing(executor):
                whole = go_on(journal, reading, config, executor, retry=arguments.retry, **options)
    else:
        path = arguments.journal or new_journal_path(config)
        chosen, asked = _choose(arguments, config)
        place = _place(arguments, config)
        with contextlib.closing(place.open(config, path, asked.to_json(), arguments.jobs)) as executor:
            hosts = Hosts(executor.gpus, executor.elsewhere)
            kept = withheld(base, chosen, config) if base is not None else {}
            planned = make_plan(chosen, config, Subjects(config), asked, arguments.shuffle, hosts, kept)
            chosen.clear()
            config.everything.clear()  # the sweep goes by the journal, and may have hours to go
            lines = [one.to_json() for one in planned]
            if text or arguments.dry_run:
                aside = not (arguments.dry_run and text)
                print(*plan_lines(lines), sep="\n", file=sys.stderr if aside else sys.stdout)
            if all(one.state == "excluded" for one in planned):
                raise SelectionError(
                    "everything that was selected is excluded", remedy="`pv status` says why"
                )
            if arguments.dry_run:
                if not text:
                    print(printable_json(json.dumps(lines, indent=1)))
                return Exit.ACCEPTED
            ordered = arguments.shuffle is not None
            with begin(path, planned, asked, arguments.argv, place, ordered=ordered) as journal:
                planned.clear()
                lines.clear()  # the journal has them
                whole = go_on(journal, read_journal(path), config, executor, retry=False, **options)
    reading = read_journal(path)
    ended = _exit(reading, waived, whole=whole, allow_declined=arguments.allow_declined)
    shown = _shown(path, config)
    if text:
        print_sweep(reading, shown, waived)
    else:
        print(printable_json(json.dumps(sweep_json(reading, shown, waived, ended), indent=1)))
    if config.records_to_ledger:
        from pv.ledger.filling import enter_sweep

        enter_sweep(reading.outcomes, config)
    if gathered is not None:
        from pv.reports.sweep_results import results_of_sweep

        notes = {address: waiver.note for address, waiver in waived.items()}
        gathered.results += results_of_sweep(reading, config, notes)
    return ended


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what contradicts itself, before anything is read.

    Raises
    ------
    ConfigError
        It does.
    """
    check_device(_AUTO if arguments.device is None else arguments.device)
    for name, value in (("--jobs", arguments.jobs), ("--max-fail", arguments.max_fail)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} {value} is less than 1", remedy="give a positive number")
    if arguments.retry and not arguments.resume:
        raise ConfigError("--retry has no use without --resume", remedy="add --resume, or leave it out")
    given = {
        "PATH": arguments.what,
        "--select": arguments.select,
        "--since": arguments.since,
        "--stale-only": arguments.stale_only,
        "--lf": arguments.lf,
        "--level": arguments.level is not None,
        "--device": arguments.device is not None,
        "--seed": arguments.seed is not None,
        "--force": arguments.force,
        "--limits": arguments.limits,
        "--no-record": arguments.no_record,
        "--shuffle": arguments.shuffle is not None,
        "--executor": arguments.executor is not None,
        "--set": arguments.set,
        "--dry-run": arguments.dry_run,
        "--base": arguments.base is not None,
    }
    named = next((name for name, value in given.items() if value), None)
    if arguments.resume and named:
        raise ConfigError(
            f"--resume goes on as the sweep was planned, and {named} would plan another",
            remedy="leave one of them out",
        )


def _place(arguments: argparse.Namespace, config: Config) -> Place:
    """Return where the sweep is to run: what ``pv.toml`` says, less what the command line says otherwise."""
    executor = "local" if arguments.executor is None else arguments.executor
    stated = dict(config.executors.get(executor, {}))
    parse_settings(executor, stated)  # what is wrong in pv.toml is not the fault of --set
    for word in arguments.set:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise ConfigError(f"--set {word!r} is not KEY=VALUE", remedy="write --set KEY=VALUE")
        stated[key] = value
    try:
        return Place(executor, parse_settings(executor, stated))
    except ConfigError as error:
        raise ConfigError(f"--set: {error.what}", remedy=error.remedy) from error


def _choose(arguments: argparse.Namespace, config: Config) -> tuple[list[Selected], Options]:
    failed_in = None
    if arguments.lf:
        failed_in = arguments.journal or latest_journal(config.root / FOLDER)
        if failed_in is None or not failed_in.is_file():
            raise SelectionError("--lf: there is no sweep on record", remedy="sweep once without --lf")
    wanted = Wanted(arguments.what, arguments.select, arguments.since, arguments.stale_only, failed_in)
    options = Options(
        level=_AUTO if arguments.level is None else arguments.level,
        device=_AUTO if arguments.device is None else arguments.device,
        seed=arguments.seed,
        record=not arguments.no_record,
        force=arguments.force,
        limits=arguments.limits,
        argv=portable(arguments.argv, config),
    )
    return choose(wanted, config), options


def _exit(reading: Reading, waived: Collection[str], *, whole: bool, allow_declined: bool) -> Exit:
    if not whole:
        print("interrupted: --resume goes on with it", file=sys.stderr)
        return Exit.INTERRUPTED
    failed = {Exit.REJECTED}
    found = {address: EXITS[outcome] for address, outcome in reading.outcomes.items()}
    forgiven = {address for address, end in found.items() if end in failed and address in waived}
    if forgiven:
        print(f"{len(forgiven)} failed and waived: it does not fail this command", file=sys.stderr)
    ended = worst(Exit.ACCEPTED if address in forgiven else end for address, end in found.items())
    passed = Exit.ACCEPTED in found.values()
    if ended == Exit.DECLINED and allow_declined and passed:
        count = [*found.values()].count(Exit.DECLINED)
        print(f"{count} declined or unbound, allowed by --allow-declined", file=sys.stderr)
        return Exit.ACCEPTED
    return ended


def _shown(path: Path, config: Config) -> str:
    whole = path.resolve()
    return whole.relative_to(config.root).as_posix() if whole.is_relative_to(config.root) else str(path)
