"""``pv gate``: may this change be committed? Judges what is staged; runs nothing unless it is asked to."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pv.config import find_root, load_config
from pv.errors import ConfigError, PvError, SelectionError
from pv.exits import Exit
from pv.gate import Judged, judged_change
from pv.gate_policy import GatePolicy
from pv.git import Repository, find_repository
from pv.git_tree import Tree, read_commit, read_index
from pv.needs import seconds
from pv.printable import printable
from pv.reports.destinations import add_report_argument, reporting, write_atomically

if TYPE_CHECKING:
    from pv.gate_run import Ahead, Run
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
    what.add_argument("--to-ref", metavar="REF")
    what.add_argument("--all-files", action="store_true", help="judge every contract, changed or not")
    how = parser.add_argument_group("what to do about it (defaults: [gate] of pv.toml)")
    how.add_argument("--stale", choices=("warn", "fail"), help="what is to become of what can be run here")
    how.add_argument("--run", dest="running", action="store_true", default=None, help="run what became stale")
    how.add_argument(
        "--no-run", dest="running", action="store_false", help="run nothing, whatever pv.toml says"
    )
    how.add_argument("--budget", metavar="TIME", help="run only what fits, such as 30s or '2 min'")
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text")
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help="same as --format json"
    )
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
    root = find_root(Path.cwd()) or repository.top
    aside = arguments.format != "text"
    with reporting(arguments.report, "gate", repository.top, json_on_stdout=aside) as gathered:
        ended = _run(arguments, repository, root, gathered)
        if gathered is not None:
            gathered.ended = ended
    return ended


def _run(
    arguments: argparse.Namespace, repository: Repository, root: Path, gathered: Gathered | None
) -> Exit:
    budget = _budget(arguments.budget)
    prefix = _prefix(repository, root)
    tree, against = _change(arguments, repository)
    named = [_named(word, repository, tree) for word in arguments.paths]
    with judged_change(
        repository,
        tree,
        prefix,
        named=[path for path in named if path in tree.entries],
        whole=arguments.all_files,
        tallied=arguments.format == "markdown" or arguments.comment is not None,
    ) as found:
        judged = _only(found, named) if arguments.paths else found
        policy = judged.config.gate
        policy = dataclasses.replace(
            policy,
            stale=arguments.stale or policy.stale,
            run=policy.run if arguments.running is None else arguments.running,
            budget=policy.budget if budget is None else budget,
        )
        nothing = not (judged.scope.touched or judged.scope.gone or judged.findings or judged.notes)
        if nothing and arguments.format == "text" and arguments.comment is None:
            print(printable(f"gate  {against}: nothing of pv's was touched"))
            return Exit.ACCEPTED
        ahead, runs = _stale(judged, root, run=policy.run, budget=policy.budget, argv=arguments.argv)
        rejected = _rejected(judged, ahead, runs, policy)
        ended = Exit.REJECTED if rejected else _ended(runs)
        from pv.reports.gate import GateReport

        report = GateReport(judged, against, repository.top, ahead, runs, rejected, ended)
        _print(report, arguments.format)
        if arguments.comment:
            from pv.reports.gate import markdown

            write_atomically(arguments.comment, "\n".join(markdown(report)) + "\n")
        if gathered is not None:
            _gather(gathered, report, root)
    return ended


def _budget(stated: str | None) -> float | None:
    if stated is None:
        return None
    try:
        return seconds(stated)
    except ValueError as error:
        raise ConfigError(f"--budget {stated!r}: {error}", remedy="write a time such as 30s") from error


def _prefix(repository: Repository, root: Path) -> str:
    top, folder = repository.top.resolve(), root.resolve()
    if not folder.is_relative_to(top):
        raise SelectionError(
            "the project lies outside of this git repository", remedy="run it in the repository of pv.toml"
        )
    return folder.relative_to(top).as_posix().removeprefix(".")


def _change(arguments: argparse.Namespace, repository: Repository) -> tuple[Tree, str]:
    """Return the tree that is judged, with what changed in it, and in words what that is."""
    first, then = arguments.from_ref, arguments.to_ref
    if not (first or then or arguments.base or arguments.all_files):
        # What pre-commit was given: https://pre-commit.com/#pre-commit-for-ci
        first, then = os.environ.get("PRE_COMMIT_FROM_REF"), os.environ.get("PRE_COMMIT_TO_REF")
    if bool(first) != bool(then):
        raise ConfigError("--from-ref and --to-ref need each other", remedy="name both commits")
    if first and arguments.base:
        raise ConfigError("--base and --from-ref exclude each other", remedy="leave one of them out")
    if first:
        last = _commit(repository, then)
        base = None if not first.strip("0") else _common(repository, _commit(repository, first), last)
        return read_commit(repository, last, base), f"{_short(last)} against {_short(base)}"
    head = repository.commit("HEAD")
    if arguments.base:
        other = _commit(repository, arguments.base)
        base = _common(repository, other, head) if head else other
        return read_index(repository, base), f"what is staged against {arguments.base} ({_short(base)})"
    return read_index(
        repository, head
    ), f"what is staged against {f'HEAD ({_short(head)})' if head else 'nothing'}"


def _commit(repository: Repository, reference: str) -> str:
    found = repository.commit(reference)
    if found is None:
        raise SelectionError(
            f"{reference!r} is no git revision here",
            remedy="name a commit, a branch or a tag; a shallow clone must fetch it first",
        )
    return found


def _common(repository: Repository, one: str, other: str) -> str:
    """Return the last commit that two have in common; without one, the first itself."""
    try:
        return repository.text("merge-base", one, other).partition("\n")[0]
    except SelectionError:
        note = "have no commit in common here, perhaps for want of history: compared as they are"
        print(f"note: {_short(one)} and {_short(other)} {note}", file=sys.stderr)
        return one


def _short(commit: str | None) -> str:
    return commit[:10] if commit else "nothing"


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


def _only(judged: Judged, named: Sequence[str]) -> Judged:
    """Return what is to be said of the contracts `named`, and of no other."""
    wanted = {*named}
    stems = {Path(path).stem for path in wanted}
    scope = dataclasses.replace(
        judged.scope,
        direct=tuple(path for path in judged.scope.direct if path in wanted),
        indirect={path: why for path, why in judged.scope.indirect.items() if path in wanted},
        gone=tuple(path for path in judged.scope.gone if path in wanted),
    )
    return dataclasses.replace(
        judged,
        scope=scope,
        findings=tuple(one for one in judged.findings if one.where.path in wanted),
        rows=tuple(row for row in judged.rows if row.contract.stem in stems),
        moved=tuple(one for one in judged.moved if one.address.rpartition("#")[0] in stems),
        before={a: name for a, name in judged.before.items() if a.rpartition("#")[0] in stems},
    )


def _stale(
    judged: Judged, root: Path, *, run: bool, budget: float | None, argv: Sequence[str]
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
    if not run:
        return ahead, []

    def tell(address: str) -> None:
        print(printable(f"running   {address}"), file=sys.stderr, flush=True)

    return ahead, list(run_within(ahead, budget, here, portable(argv, here), tell))


def _rejected(judged: Judged, ahead: Sequence[Ahead], runs: Sequence[Run], policy: GatePolicy) -> list[str]:
    """Say why the change may not go in; a host fails on STALE only for what it could run again."""
    found = [f"{len(judged.errors)} error(s) in contracts as they are staged"] if judged.errors else []
    gating = [
        row for row in judged.broken if row.falsifier.ship_blocking and row.address not in judged.waived
    ]
    if gating and policy.broken == "fail":
        found.append(f"{len(gating)} ship-blocking falsifier(s) broke")
    failed = [run.address for run in runs if run.end and run.end.outcome in {"Fail", "Vacuous"}]
    if failed:
        found.append(f"{len(failed)} failed that the change made stale")
    can = [one.row.address for one in ahead if one.state == "can" and one.row.address not in failed]
    if can and policy.stale == "fail":
        passed = {run.address for run in runs if run.end and run.end.outcome in {"Pass", "Refuted"}}
        left = [address for address in can if address not in passed]
        if passed & {*can}:
            found.append(f"{len(passed & {*can})} falsifier(s) have new evidence that is not staged")
        if left:
            found.append(f"{len(left)} falsifier(s) became stale that could be run here")
    return found


def _ended(runs: Sequence[Run]) -> Exit:
    """Return how what was run lets the gate end; what this host cannot judge is no fault of the change."""
    return Exit.ERROR if any(run.end and run.end.outcome == "Error" for run in runs) else Exit.ACCEPTED


def _print(report: GateReport, form: str) -> None:
    from pv.reports.gate import as_json, markdown, text

    if form == "json":
        import json

        print(json.dumps(as_json(report), indent=1))
    else:
        print(*(markdown if form == "markdown" else text)(report), sep="\n")


def _gather(gathered: Gathered, report: GateReport, root: Path) -> None:
    from pv.reports.gathering import result_of_discharge, result_of_row

    judged, top = report.judged, report.top
    found = [
        dataclasses.replace(one, where=dataclasses.replace(one.where, path=str(top / one.where.path)))
        for one in judged.findings
    ]
    gathered.add_findings(found, [top / path for path in judged.scope.touched])
    here = {one.row.address: one.contract for one in report.ahead}
    ended = {run.address: run.end for run in report.runs if run.end}
    for row in judged.rows:
        result = result_of_row(row, judged.config, judged.waived.get(row.address, ""))
        contract, end = here.get(row.address), ended.get(row.address)
        if contract and end:
            again = result_of_discharge(contract, row.falsifier, end, load_config(root))
            result = dataclasses.replace(again, where=result.where)
        gathered.results.append(result)
