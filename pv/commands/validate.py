"""``pv validate``: the shape and the rules of contracts and investigations. Runs nothing that they name."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pv.contract import Contract, NotAContractError, ShapeError, load_contract
from pv.errors import DocumentError, Location, SelectionError
from pv.exits import Exit
from pv.finding import Finding
from pv.printable import printable, printable_json
from pv.reports.destinations import add_report_argument, reporting
from pv.repository import find_contracts
from pv.result_cache.no_cache import add_cache_argument, minding_cache
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
    parser.add_argument("--strict", action="store_true", help="warnings reject as well")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help="same as --format json"
    )
    add_cache_argument(parser)
    add_report_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Print the findings; exit 0 if there is no error (with ``--strict``: no finding), 1 if there is.

    Raises
    ------
    SelectionError
        A path names nothing, or neither contract nor investigation.
    """
    gc.disable()  # one short pass over trees that all live to its end: a tenth of its time
    try:
        alone = arguments.format == "json"
        with (
            minding_cache(arguments),
            reporting(arguments.report, "validate", json_on_stdout=alone) as gathered,
        ):
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
    written = [word for word in arguments.paths if _names_investigations(word)]
    # A folder of investigations that holds contracts as well is both.
    others = [word for word in arguments.paths if word not in written or any(Path(word).rglob("*.y*ml"))]
    for path in find_contracts(others) if others or not written else ():
        found = _read(path)
        if isinstance(found, Contract):
            contracts.append(found)
            files.append(path)
        elif isinstance(found, NotAContractError):
            print(printable(f"{path}: note: {found.what}; it was not checked"), file=sys.stderr)
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
    if not contracts and not misshapen and not investigations:
        raise SelectionError("no contract was named", remedy="Name a contract or a folder with contracts.")
    for contract in contracts:
        findings += judge(contract)
    findings += extra_findings(contracts)
    findings.sort(key=lambda finding: (finding.where, finding.code, finding.message))
    if gathered is not None:
        gathered.strict = arguments.strict
        gathered.add_findings(findings, files)
    errors = sum(finding.severity == "error" for finding in findings)
    count = len(contracts) + misshapen
    if arguments.format == "json":
        _json(findings, count, investigations, errors)
    else:
        _text(findings, count, investigations, errors, strict=arguments.strict)
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
    findings: Sequence[Finding], contracts: int, investigations: int, errors: int, *, strict: bool
) -> None:
    for finding in findings:
        where = finding.where
        print(printable(f"{where}: {finding.severity}[{finding.code}]: {finding.message}"))
        print(printable(f"    {finding.remedy}"))
    print(f"\n{errors} error(s), {len(findings) - errors} warning(s)")
    if strict and findings and not errors:
        sys.stdout.flush()
        print(f"error: --strict: {len(findings)} warning(s)", file=sys.stderr)
        return
    if not errors:
        for noun, count in (("Contract", contracts), ("Investigation", investigations)):
            if count:
                print(f"{noun} is valid." if count == 1 else f"{count} {noun.lower()}s are valid.")
        return
    sys.stdout.flush()
    if investigations:
        failed = len({finding.where.path for finding in findings if finding.severity == "error"})
        print(f"error: {failed} of {contracts + investigations} files are not valid", file=sys.stderr)
    elif contracts == 1:
        print(f"error: Contract has {errors} validation error(s)", file=sys.stderr)
    else:
        failed = len({finding.where.path for finding in findings if finding.severity == "error"})
        print(f"error: {failed} of {contracts} contracts are not valid", file=sys.stderr)


def _json(findings: Sequence[Finding], contracts: int, investigations: int, errors: int) -> None:
    import json

    report = {
        "findings": [finding.to_json() for finding in findings],
        "contracts": contracts,
        **({"investigations": investigations} if investigations else {}),
        "errors": errors,
        "warnings": len(findings) - errors,
    }
    print(printable_json(json.dumps(report, indent=2)))
