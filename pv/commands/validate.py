"""``pv validate``: the shape and the rules of contracts. Runs nothing that a contract names."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pv.contract import Contract, NotAContractError, ShapeError, load_contract
from pv.errors import DocumentError, Location, SelectionError
from pv.exits import Exit
from pv.finding import Finding
from pv.printable import printable
from pv.repository import find_contracts
from pv.rules import judge

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Check the shape and the rules of contracts. Nothing that a contract names is run."
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a contract, or a folder of contracts")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(arguments: argparse.Namespace) -> Exit:
    """Print the findings; exit 0 if there is no error, 1 if there is.

    Raises
    ------
    SelectionError
        A path names nothing, or no contract.
    """
    gc.disable()  # one short pass over trees that all live to its end: a tenth of its time
    findings: list[Finding] = []
    contracts = 0
    for path in find_contracts(arguments.paths):
        try:
            findings += _findings(path)
        except NotAContractError as note:
            print(printable(f"{path}: note: {note.what}; it was not checked"), file=sys.stderr)
        else:
            contracts += 1
    if not contracts:
        raise SelectionError("no contract was named", remedy="Name a contract or a folder with contracts.")
    findings.sort(key=lambda finding: (finding.where, finding.code, finding.message))
    errors = sum(finding.severity == "error" for finding in findings)
    report = _json if arguments.format == "json" else _text
    report(findings, contracts, errors)
    return Exit.REJECTED if errors else Exit.ACCEPTED


def extra_findings(contract: Contract) -> Iterable[Finding]:
    """Return what must be said of `contract` beyond the rules: statuses that no evidence supports."""
    # Imported late: evidence and configuration are of no use to a contract that claims nothing.
    from pv.claims import judge_claims

    return judge_claims(contract, Path(contract.path))


def _findings(path: Path) -> Sequence[Finding]:
    try:
        contract = load_contract(path)
    except ShapeError as error:
        return error.findings
    except DocumentError as error:
        where = error.where or Location(str(path), 1, 1)
        return [Finding(where, error.code, "error", error.what, error.remedy)]
    findings = judge(contract)
    if any(falsifier.discharge_status is not None for falsifier in contract.falsifiers):
        findings += extra_findings(contract)
    return findings


def _text(findings: Sequence[Finding], contracts: int, errors: int) -> None:
    for finding in findings:
        where = finding.where
        print(printable(f"{where}: {finding.severity}[{finding.code}]: {finding.message}"))
        print(printable(f"    {finding.remedy}"))
    print(f"\n{errors} error(s), {len(findings) - errors} warning(s)")
    if not errors:
        print("Contract is valid." if contracts == 1 else f"{contracts} contracts are valid.")
        return
    sys.stdout.flush()
    if contracts == 1:
        print(f"error: Contract has {errors} validation error(s)", file=sys.stderr)
    else:
        failed = len({finding.where.path for finding in findings if finding.severity == "error"})
        print(f"error: {failed} of {contracts} contracts are not valid", file=sys.stderr)


def _json(findings: Sequence[Finding], contracts: int, errors: int) -> None:
    import json

    def plain(finding: Finding) -> dict[str, Any]:
        where = finding.where
        return {
            "file": where.path,
            "line": where.line,
            "column": where.column,
            "code": finding.code,
            "severity": finding.severity,
            "message": finding.message,
            "remedy": finding.remedy,
        }

    report = {
        "findings": [plain(finding) for finding in findings],
        "contracts": contracts,
        "errors": errors,
        "warnings": len(findings) - errors,
    }
    print(json.dumps(report, indent=2))
