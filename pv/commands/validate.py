"""``pv validate``: the shape and the rules of contracts and investigations. Runs nothing that they name."""

from __future__ import annotations

import argparse
import gc
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.contract import Contract, NotAContractError, ShapeError, load_contract
from pv.errors import ConfigError, DocumentError, Location, SelectionError
from pv.exits import Exit
from pv.finding import Finding
from pv.printable import printable, printable_json
from pv.reports.destinations import add_report_argument, reporting
from pv.repository import find_contracts
from pv.rules import judge, needs_project

if TYPE_CHECKING:
    from pv.reports.gathering import Gathered

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Check the shape and the rules of contracts. Nothing that a contract names is run."
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a contract, an investigation (*.md), or a folder of such"
    )
    parser.add_argument(
        "--check-ids", action="store_true", help="judge nothing; count the ids of obligations and their uses"
    )
    parser.add_argument("--strict", action="store_true", help="warnings reject as well")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help="same as --format json"
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="first mend what leaves nothing to decide, as `pv migrate` does and more; says what it mended",
    )
    parser.add_argument(
        "--baseline", metavar="FILE", help="findings that FILE holds are shown as known, and do not reject"
    )
    parser.add_argument(
        "--write-baseline", action="store_true", help="write what is found to the FILE of --baseline"
    )
    add_report_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Print the findings; exit 0 if there is no error (with ``--strict``: no finding), 1 if there is.

    Raises
    ------
    SelectionError
        A path names nothing, or neither contract nor investigation.
    ConfigError
        The baseline is none, or is to be written and not named.
    """
    if arguments.write_baseline and not arguments.baseline:
        raise ConfigError("--write-baseline has no file to write", remedy="add --baseline FILE")
    gc.disable()  # one short pass over trees that all live to its end: a tenth of its time
    try:
        if arguments.check_ids:
            return _count_ids(arguments.paths, json_wanted=arguments.format == "json")
        with reporting(arguments.report, "validate", json_on_stdout=arguments.format == "json") as gathered:
            ended = _run(arguments, gathered)
            if gathered is not None:
                gathered.ended = ended
            return ended
    finally:
        gc.freeze()  # nor need the interpreter look through them as it ends
        gc.enable()


def _run(arguments: argparse.Namespace, gathered: Gathered | None) -> Exit:
    findings: list[Finding] = []
    files: list[Path] = []
    contracts: list[Contract] = []
    misshapen = 0
    more: dict[str, Any] = {}
    others_judged: Counter[str] = Counter()
    written = [word for word in arguments.paths if _names_investigations(word)]
    # A folder of investigations that holds contracts as well is both.
    others = [word for word in arguments.paths if word not in written or any(Path(word).rglob("*.y*ml"))]
    paths = find_contracts(others) if others or not written else []
    if arguments.fix:
        from pv.mending import mend_files

        more["mended"] = mend_files(paths, told=arguments.format == "text")
    for path in paths:
        found = _read(path)
        if isinstance(found, Contract):
            contracts.append(found)
            files.append(path)
        elif isinstance(found, NotAContractError):
            # Imported late: few folders have such files.
            from pv.artefacts import NOUNS, judge_artefact

            about_artefact = judge_artefact(found)
            if about_artefact is None:
                print(printable(f"{path}: note: {found.what}; it was not checked"), file=sys.stderr)
                continue
            findings += about_artefact
            files.append(path)
            others_judged[NOUNS[found.artefact]] += 1
        else:
            findings += found
            files.append(path)
            misshapen += 1
    investigations = 0
    if written:
        # Imported late: few projects have investigations, and hooks name contracts.
        from pv.investigation_judgement import judge_investigations

        about, investigations = judge_investigations(written)
        findings += about
    if not contracts and not misshapen and not investigations and not others_judged:
        raise SelectionError("no contract was named", remedy="Name a contract or a folder with contracts.")
    for contract in contracts:
        findings += judge(contract)
    findings += extra_findings(contracts)
    findings.sort(key=lambda finding: (finding.where, finding.code, finding.message))
    if arguments.baseline:
        from pv.known_findings import take_known

        baseline = Path(arguments.baseline)
        findings, more["known"] = take_known(
            findings, contracts, files, baseline, write=arguments.write_baseline
        )
    if gathered is not None:
        gathered.strict = arguments.strict
        gathered.add_findings(findings, files)
    errors = sum(finding.severity == "error" for finding in findings)
    judged = {"Contract": len(contracts) + misshapen, **others_judged, "Investigation": investigations}
    if arguments.format == "json":
        _json(findings, judged, errors, more)
    else:
        _text(findings, judged, errors, more.get("known", ()), strict=arguments.strict)
        folders = [word for word in others if Path(word).is_dir()]
        _folders(folders, files, {one.where.path for one in findings if one.severity == "error"})
    return Exit.REJECTED if errors or (arguments.strict and findings) else Exit.ACCEPTED


def extra_findings(contracts: Sequence[Contract]) -> Iterable[Finding]:
    """Yield what must be said of `contracts` in their projects: of checks, subjects, evidence, each other."""
    stems = [contract.stem for contract in contracts]
    asking = [c for c in contracts if needs_project(c) or stems.count(c.stem) > 1]
    if not asking:
        return
    # Imported late: evidence and configuration are of no use to a contract that asks nothing of them.
    from pv.config import find_root
    from pv.project import Project
    from pv.rules.project_rules import judge_in_project

    projects: dict[Path, Project] = {}
    for contract in asking:
        folder = Path(contract.path).resolve().parent
        folder = find_root(folder) or folder
        if folder not in projects:
            projects[folder] = Project(folder, contracts)
        yield from judge_in_project(contract, projects[folder])


def _count_ids(paths: Sequence[str], *, json_wanted: bool) -> Exit:
    """Print, of each path, how many obligations there are, have an id, and are named by a harness by it."""
    for word in paths:
        contracts = [found for path in find_contracts([word]) if isinstance(found := _read(path), Contract)]
        if not contracts:
            raise SelectionError(f"0 contracts under {word}", remedy="Name a contract or a folder of such.")
        ids = [{each.id for each in contract.obligations if each.id} for contract in contracts]
        counts = {
            "obligations": sum(len(contract.obligations) for contract in contracts),
            "with_id": sum(map(len, ids)),
            "referenced": sum(
                harness.obligation in known
                for contract, known in zip(contracts, ids, strict=True)
                for harness in contract.kani
            ),
            "contracts": len(contracts),
        }
        if json_wanted:
            import json

            print(printable_json(json.dumps({"path": word, **counts})))
        else:
            obligations, with_id, referenced, count = counts.values()
            said = f"{obligations} obligations, {with_id} with id, {referenced} referenced"
            print(printable(f"{said}   ({count} contract(s) under {word})"))
    return Exit.ACCEPTED


def _names_investigations(word: str) -> bool:
    return word.endswith(".md") or ("\0" not in word and Path(word).resolve().name == "findings")


def _read(path: Path) -> Contract | NotAContractError | Sequence[Finding]:
    """Return the contract, what else the file is, or what is wrong with its shape."""
    try:
        return load_contract(path)
    except NotAContractError as note:
        return note
    except ShapeError as error:
        return error.findings
    except DocumentError as error:
        where = error.where or Location(str(path), 1, 1)
        return [Finding(where, error.code, "error", error.what, error.remedy)]


def _text(
    findings: Sequence[Finding],
    judged: Mapping[str, int],
    errors: int,
    known: Sequence[Finding] = (),
    *,
    strict: bool,
) -> None:
    """Print the findings and the verdict; `judged` is noun → how many files of that kind were judged."""
    for finding in known:
        print(printable(f"{finding.where}: known {finding.severity}[{finding.code}]: {finding.message}"))
    for finding in findings:
        where = finding.where
        print(printable(f"{where}: {finding.severity}[{finding.code}]: {finding.message}"))
        print(printable(f"    {finding.remedy}"))
    besides = f", {len(known)} known" if known else ""
    print(f"\n{errors} error(s), {len(findings) - errors} warning(s){besides}")
    if strict and findings and not errors:
        sys.stdout.flush()
        print(f"error: --strict: {len(findings)} warning(s)", file=sys.stderr)
        return
    if not errors and any(finding.severity == "error" for finding in known):
        print("Nothing is wrong that the baseline does not know.")
        return
    there = {noun: count for noun, count in judged.items() if count}
    if not errors:
        for noun, count in there.items():
            print(f"{noun} is valid." if count == 1 else f"{count} {_plural(noun)} are valid.")
        return
    sys.stdout.flush()
    failed = len({finding.where.path for finding in findings if finding.severity == "error"})
    if len(there) > 1 or "Investigation" in there:
        print(f"error: {failed} of {sum(there.values())} files are not valid", file=sys.stderr)
        return
    ((noun, count),) = there.items()
    if count == 1:
        print(f"error: {noun} has {errors} validation error(s)", file=sys.stderr)
    else:
        print(f"error: {failed} of {count} {_plural(noun)} are not valid", file=sys.stderr)


def _plural(noun: str) -> str:
    """Return how several are called: a kind in brackets is left out, and the last word has its ending."""
    word = noun.partition(" (")[0].lower()
    return f"{word.removesuffix('y')}ies" if word.endswith("y") else f"{word}s"


def _folders(folders: Iterable[str], files: Sequence[Path], failed: Collection[str]) -> None:
    """Print, of each folder that was named, how many files of it were judged, and how many failed."""
    for folder in folders:
        within = [file for file in files if file.is_relative_to(folder)]
        bad = sum(str(file) in failed for file in within)
        print()
        print(printable(f"{len(within)} artifact(s) under {folder}, {bad} failed"))


def _json(
    findings: Sequence[Finding], judged: Mapping[str, int], errors: int, more: Mapping[str, Any]
) -> None:
    import json

    named = {_plural(noun).replace(" ", "_"): count for noun, count in judged.items()}
    report = {
        "findings": [finding.to_json() for finding in findings],
        **{noun: count for noun, count in named.items() if count or noun == "contracts"},
        "errors": errors,
        "warnings": len(findings) - errors,
        **{key: [one.to_json() for one in listed] for key, listed in more.items()},
    }
    print(printable_json(json.dumps(report, indent=2)))
