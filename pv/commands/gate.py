"""``pv gate``: may this change be committed? Judges what is staged; runs nothing unless it is asked to."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.common_options import add_format_argument
from pv.config import load_config
from pv.errors import ConfigError, PvError, SelectionError
from pv.exits import Exit, worst
from pv.gate import Judged, judged_change
from pv.gate_change import projects_of, wanted_change
from pv.gate_layout import is_below
from pv.gate_policy import GatePolicy
from pv.gate_run import Ahead, Run
from pv.gate_verdict import ended, only, rejected
from pv.git import Repository, find_repository
from pv.git_tree import Tree
from pv.needs import seconds
from pv.outcome import EXITS
from pv.printable import printable, printable_json
from pv.reports.destinations import add_report_argument, reporting, write_atomically

if TYPE_CHECKING:
    from pv.reports.gate import GateReport
    from pv.reports.gathering import Gathered

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv gate``."""
    parser.description = (
        "Judge what is staged, as it is staged: contracts that changed, and what the change makes stale."
        " Nothing of the repository is executed unless --run is given."
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="contracts to judge, changed or not (default: what changed)"
    )
    what = parser.add_argument_group("which change")
    what.add_argument("--base", metavar="REF", help="what is staged against the last commit common with REF")
    what.add_argument("--from-ref", metavar="REF", help="with --to-ref: one commit against another")
    what.add_argument("--to-ref", metavar="REF", help="with --from-ref: the other commit")
    what.add_argument("--all-files", action="store_true", help="judge every contract, changed or not")
    how = parser.add_argument_group("what to do about it (defaults: [gate] of pv.toml)")
    how.add_argument("--stale", choices=("warn", "fail"), help="what is to become of what can be run here")
    how.add_argument("--run", dest="running", action="store_true", default=None, help="run what became stale")
    how.add_argument(
        "--no-run", dest="running", action="store_false", help="run nothing, and do not mention it"
    )
    how.add_argument(
        "--trust",
        action="store_true",
        help="in a pull request: let --run run what a stranger may have written",
    )
    how.add_argument("--budget", metavar="TIME", help="run only what fits, such as 30s or '2 min'")
    add_format_argument(parser, ("text", "json", "markdown"), "how it is written")
    parser.add_argument(
        "--comment", type=Path, metavar="FILE", help="also write what `--format markdown` prints"
    )
    add_report_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Judge and say; exit 0 if the change may go in, 1 if it may not.

    Raises
    ------
    SelectionError
        A path or a revision names nothing.
    ConfigError
        Options contradict each other, or ``pv.toml`` cannot be used.
    """
    repository = find_repository(Path.cwd())
    aside = arguments.format != "text"
    with reporting(arguments.report, "gate", repository.top, json_on_stdout=aside) as gathered:
        ends = list(_run(arguments, repository, gathered))
        if gathered is not None:
            gathered.ended = worst(ends)
    return worst(ends)


def _run(arguments: argparse.Namespace, repository: Repository, gathered: Gathered | None) -> Iterator[Exit]:
    """Judge project after project, and yield how each ends."""
    budget = _budget(arguments.budget)
    _refuse_untrusted(arguments)
    tree, against = wanted_change(arguments, repository)
    named = [_named(word, repository, tree) for word in arguments.paths]
    projects = projects_of(tree, repository, Path.cwd())
    _refuse_strangers(named, projects)
    aside = arguments.format != "text" or arguments.comment is not None
    told: list[_Told] = []
    for prefix in projects:
        here = [path for path in named if is_below(path, prefix)]
        with judged_change(
            repository,
            tree,
            prefix,
            named=[path for path in here if path in tree.entries],
            whole=arguments.all_files,
            tallied=arguments.format == "markdown" or arguments.comment is not None,
        ) as found:
            judged = only(found, here) if arguments.paths else found
            running = bool(arguments.running)
            if judged.config.gate.run and arguments.running is None:
                # The tree that is judged may be a stranger's, and so may be what it asks for.
                note = "pv.toml has `run = true`, by which alone nothing is run: add --run"
                print(f"note: {note}", file=sys.stderr)
            if budget is not None and not running:
                raise ConfigError(
                    "--budget is of what is run, and nothing is", remedy="add --run, or leave --budget out"
                )
            if judged.is_empty and not here and (len(projects) > 1 or not aside):
                yield Exit.ACCEPTED
                continue
            stated = judged.config.gate
            policy = dataclasses.replace(
                stated,
                stale=arguments.stale or stated.stale,
                run=running,
                budget=stated.budget if budget is None else budget,
            )
            root = repository.top / prefix
            ahead, runs = _stale(judged, root, policy, arguments.argv)
            waived = {*judged.waived, *_waived(ahead, runs, root)}
            why = rejected(judged, ahead, runs, policy, waived)
            end = Exit.REJECTED if why else ended(runs)
            # Imported late: most commits touch nothing.
            from pv.reports.gate import GateReport

            report = GateReport(judged, against, prefix, repository.top, ahead, runs, why, end)
            told.append(_tell(report))
            if gathered is not None:
                _gather(gathered, report, root)
            yield end
    if not told:
        told.append(_nothing(against))
    _print(told, arguments.format)
    if arguments.comment:
        write_atomically(arguments.comment, "\n".join(_joined(told)) + "\n")
    if not projects or all(one.document is None for one in told):
        yield Exit.ACCEPTED


def _refuse_untrusted(arguments: argparse.Namespace) -> None:
    """Refuse to run in a pull request what it made stale, which is what it changed, unless it is trusted."""
    if arguments.trust and not arguments.running:
        raise ConfigError(
            "--trust is of what is run, and nothing is", remedy="add --run, or leave --trust out"
        )
    if not arguments.running:
        return
    from pv.unreviewed import wanted_base

    if wanted_base(None, trust=arguments.trust) is not None:
        raise ConfigError(
            "this is a pull request, and --run would run what it changed",
            remedy="leave --run out; or review the change, and add --trust",
        )


def _budget(stated: str | None) -> float | None:
    if stated is None:
        return None
    try:
        return seconds(stated)
    except ValueError as error:
        raise ConfigError(f"--budget {stated!r}: {error}", remedy="write a time such as 30s") from error


def _named(word: str, repository: Repository, tree: Tree) -> str:
    """Return the path in the repository of a contract that the command line names."""
    path = Path(os.path.normpath(Path.cwd() / word))
    top = repository.top
    inside = path.relative_to(top).as_posix() if path.is_relative_to(top) else ""
    if inside in tree.entries or (inside in tree.changed and inside):
        if not inside.endswith((".yaml", ".yml")):
            raise SelectionError(f"{word} is no contract", remedy="name a YAML file of contracts")
        return inside
    raise SelectionError(f"{word} is not in {tree.name}", remedy="`git add` it, or name a file that is there")


def _refuse_strangers(named: Sequence[str], projects: Sequence[str]) -> None:
    for path in named:
        if not any(is_below(path, prefix) for prefix in projects):
            raise SelectionError(f"{path} is in no project", remedy="name a contract of one")


def _stale(
    judged: Judged, root: Path, policy: GatePolicy, argv: Sequence[str]
) -> tuple[list[Ahead], list[Run]]:
    if not judged.stale:
        return [], []
    from pv.command_line import portable
    from pv.gate_run import foresee_runs, run_within

    try:
        here = load_config(root)
    except PvError as error:
        print(printable(f"note: nothing can be run here: {error.what}"), file=sys.stderr)
        return [], []
    ahead = list(foresee_runs(judged, here))
    if not policy.run:
        return ahead, []

    def tell(address: str) -> None:
        print(printable(f"running   {address}"), file=sys.stderr, flush=True)

    return ahead, list(run_within(ahead, policy.budget, here, portable(argv, here), tell))


def _waived(ahead: Sequence[Ahead], runs: Sequence[Run], root: Path) -> Iterator[str]:
    """Yield what was run, failed, and has a waiver in force."""
    failed = {run.address for run in runs if run.end and EXITS[run.end.outcome] == Exit.REJECTED}
    if failed:
        from pv.waivers import load_waivers

        waivers = load_waivers(load_config(root))
        for one in ahead:
            if one.row.address in failed and waivers.of(one.row.contract, one.row.falsifier):
                yield one.row.address


@dataclasses.dataclass(frozen=True)
class _Told:
    """What is to be said of one project, in each form; a document of None where there is nothing."""

    text: Sequence[str]
    markdown: Sequence[str]
    document: Any


def _tell(report: GateReport) -> _Told:
    from pv.reports.gate import as_json, markdown, text

    return _Told(list(text(report)), list(markdown(report)), as_json(report))


def _nothing(against: str) -> _Told:
    from pv.reports.gate import nothing

    return _Told([printable(f"gate  {against}: nothing of pv's was touched")], list(nothing(against)), None)


def _joined(told: Sequence[_Told]) -> list[str]:
    """Join comments into one: the line that it is found by stands first, and once."""
    return [*told[0].markdown, *(line for one in told[1:] for line in one.markdown[1:])]


def _print(told: Sequence[_Told], form: str) -> None:
    if form == "json":
        import json

        documents = [one.document for one in told if one.document is not None]
        print(printable_json(json.dumps(documents[0] if len(documents) == 1 else documents, indent=1)))
    elif form == "markdown":
        print(*_joined(told), sep="\n")
    else:
        print(*(line for one in told for line in one.text), sep="\n")


def _gather(gathered: Gathered, report: GateReport, root: Path) -> None:
    from pv.reports.gathering import result_of_discharge, result_of_row

    judged, top = report.judged, report.top
    found = [
        dataclasses.replace(one, where=dataclasses.replace(one.where, path=str(top / one.where.path)))
        for one in judged.findings
    ]
    gathered.add_findings(found, [top / path for path in judged.scope.touched])
    here = {one.row.address: one.contract for one in report.ahead}
    ends = {run.address: run.end for run in report.runs if run.end}
    for row in judged.rows:
        result = result_of_row(row, judged.config, judged.waived.get(row.address, ""))
        contract, end = here.get(row.address), ends.get(row.address)
        if contract and end:
            again = result_of_discharge(contract, row.falsifier, end, load_config(root))
            result = dataclasses.replace(again, where=result.where)
        gathered.results.append(result)
