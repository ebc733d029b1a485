"""``pv discharge``: run, judge, record."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pv.blocking import blast_radius
from pv.command_line import check_device, portable, subjects_given
from pv.common_options import add_format_argument, add_review_arguments
from pv.config import Config, load_config
from pv.contract import Falsifier
from pv.discharge import discharge
from pv.errors import ConfigError, SelectionError
from pv.exits import Exit, worst
from pv.named_subjects import named_subjects
from pv.outcome import EXITS, Discharge, Options
from pv.printable import printable, printable_json
from pv.progress import Progress
from pv.reports.destinations import add_report_argument, reporting
from pv.reports.discharge import as_json, print_one, print_table
from pv.reports.plan import plan
from pv.runner import Runner
from pv.selection import Selected, select
from pv.subjects import Subjects
from pv.unreviewed import declined, wanted_base, withheld
from pv.waivers import Waiver, Waivers, load_waivers

if TYPE_CHECKING:
    from pv.reports.gathering import Gathered

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv discharge``."""
    parser.add_argument(
        "what", nargs="+", metavar="ID|PATH", help="falsifier ids, contract#ID, contracts or folders"
    )
    parser.add_argument(
        "--level",
        choices=("auto", "algorithm", "functional", "live"),
        default="auto",
        help="auto: the highest that can be judged here",
    )
    parser.add_argument(
        "--subject",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="judge other bytes in place of a subject",
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="where checks compute")
    parser.add_argument("--seed", type=int, default=None, help="seed of every generator (default 0)")
    parser.add_argument("--no-record", action="store_true", help="run and judge, write no evidence")
    parser.add_argument("--force", action="store_true", help="run again what has fresh evidence")
    parser.add_argument(
        "--limits", action="store_true", help="measure how small a damage each notices that has must_detect:"
    )
    parser.add_argument(
        "--against", metavar="REV", help="reject when a verdict differs from the record at this git revision"
    )
    add_review_arguments(parser)
    parser.add_argument(
        "--allow-declined",
        action="store_true",
        help="exit 0 despite declined or unbound, if something passed",
    )
    add_format_argument(parser)
    add_report_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Discharge what was named, one by one."""
    config = load_config()
    aside = arguments.format == "json"
    with reporting(arguments.report, "discharge", config.root, json_on_stdout=aside) as gathered:
        ended = _run(arguments, config, gathered)
        if gathered is not None:
            gathered.ended = ended
    return ended


def _run(arguments: argparse.Namespace, config: Config, gathered: Gathered | None) -> Exit:
    check_device(arguments.device)
    # Gates last: they read what the others of this command record.
    selected = sorted(select(arguments.what, config), key=lambda item: bool(item.falsifier.basis))
    waivers = load_waivers(config)
    overrides = subjects_given(arguments.subject)
    _refuse_unused(overrides, [item.falsifier for item in selected], config)
    subjects = Subjects(config, overrides)
    base = wanted_base(arguments.base, trust=arguments.trust)
    kept = withheld(base, selected, config) if base is not None else {}
    options = Options(
        level=arguments.level,
        device=arguments.device,
        seed=arguments.seed,
        record=not arguments.no_record,
        force=arguments.force,
        limits=arguments.limits,
        argv=portable(arguments.argv, config),
    )
    text = arguments.format == "text"
    if text:
        print(*plan((item.contract, item.falsifier) for item in selected), sep="\n", file=sys.stderr)
    ended: list[tuple[Selected, Discharge]] = []
    waived: dict[str, Waiver] = {}
    with Runner(config.root / ".pv") as runner, Progress(sys.stderr) as progress:
        for item in selected:
            if item.falsifier.excluded:
                continue
            before = {}
            if arguments.against:
                from pv.reproduction import compared, recorded_at

                before = recorded_at(arguments.against, item.contract, item.falsifier, config)
            address = f"{item.contract.stem}#{item.falsifier.id}"
            if address in kept:
                end = declined(address, item.falsifier, kept[address])
            else:
                with progress.of(item.falsifier.id) as tell:
                    end = discharge(item.contract, item.falsifier, config, subjects, runner, options, tell)
            judged = end
            if arguments.against:
                end = compared(end, before, arguments.against, config)
            if EXITS[end.outcome] == Exit.REJECTED and end is judged:
                # A verdict that is not reproduced is no failure that anybody knew of.
                waived |= _waived(item, end, waivers)
            ended.append((item, end))
            if gathered is not None:
                from pv.reports.gathering import result_of_discharge

                note = waived[end.address].note if end.address in waived else ""
                given = (item.contract, item.falsifier, end, config)
                gathered.results.append(result_of_discharge(*given, waived=note, options=_asked(arguments)))
            if text and (
                item.named or len(selected) == 1 or EXITS[end.outcome] in {Exit.REJECTED, Exit.ERROR}
            ):
                failed = end.outcome in {"Fail", "Vacuous"}
                waiting = blast_radius(item.contract, item.falsifier, config) if failed else ()
                print_one(end, waiting, waived[end.address].note if end.address in waived else "")
    if not ended:
        raise SelectionError("everything that was selected is excluded", remedy="`pv status` says why")
    results = [end for _, end in ended]
    if not text:
        listed = [as_json(end) for end in results]
        for end, shown in zip(results, listed, strict=True):
            shown["waived"] = waived[end.address].to_json() if end.address in waived else None
        print(printable_json(json.dumps(listed, indent=1)))
    elif len(results) > 1:
        print_table(results, waived.keys())
    return _exit(results, waived.keys(), allow_declined=arguments.allow_declined)


def _waived(item: Selected, end: Discharge, waivers: Waivers) -> dict[str, Waiver]:
    waiver = waivers.of(item.contract, item.falsifier)
    expired = waivers.expired(item.contract, item.falsifier)
    if expired:
        print(
            printable(f"{end.address}: its waiver expired on {expired.expires}, so this fails the command"),
            file=sys.stderr,
        )
    return {end.address: waiver} if waiver else {}


def _exit(results: list[Discharge], waived: Collection[str], *, allow_declined: bool) -> Exit:
    ends = [Exit.ACCEPTED if end.address in waived else EXITS[end.outcome] for end in results]
    if waived:
        print(f"{len(waived)} failed and waived: it does not fail this command", file=sys.stderr)
    combined = worst(ends)
    passed = any(EXITS[end.outcome] == Exit.ACCEPTED for end in results)
    if combined == Exit.DECLINED and allow_declined and passed:
        count = ends.count(Exit.DECLINED)
        print(f"{count} declined or unbound, allowed by --allow-declined", file=sys.stderr)
        return Exit.ACCEPTED
    return combined


def _asked(arguments: argparse.Namespace) -> list[str]:
    """Return the options that decide what a run measures, to be asked for again."""
    words = ["--device", arguments.device] if arguments.device != "auto" else []
    words += ["--seed", str(arguments.seed)] if arguments.seed is not None else []
    return words + [word for subject in arguments.subject for word in ("--subject", subject)]


def _refuse_unused(overrides: Mapping[str, Path], falsifiers: Iterable[Falsifier], config: Config) -> None:
    """Refuse other bytes for a subject that is none, or that nothing which was selected looks at.

    Raises
    ------
    ConfigError
        There is such a subject.
    """
    used: set[str] = set()
    for falsifier in falsifiers:
        waiting = [*named_subjects(falsifier)]
        while waiting:
            name = waiting.pop()
            if name not in used:
                used.add(name)
                waiting += config.subjects[name].derived_from if name in config.subjects else ()
    for name in overrides:
        if name not in config.subjects:
            known = ", ".join(sorted(config.subjects)) or "none"
            raise ConfigError(
                f"--subject {name}=...: subject {name!r} is not in pv.toml (known: {known})",
                remedy=f"add [subjects.{name}], or correct the name",
            )
        if name not in used:
            raise ConfigError(
                f"--subject {name}=...: nothing that was selected is about {name}",
                remedy="select what is, or leave it out",
            )
