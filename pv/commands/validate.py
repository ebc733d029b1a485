"""``pv validate``: the shape and the rules of contracts and investigations. Runs nothing that they name."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pv.errors import SelectionError
from pv.exits import Exit
from pv.finding import Finding
from pv.printable import printable, printable_json
from pv.reports.destinations import add_report_argument, reporting
from pv.repository import resolved_contracts
from pv.validation import validate

if TYPE_CHECKING:
    from pv.reports.gathering import Gathered

__all__ = ["configure", "run"]

_LINES = 1000


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
        with reporting(arguments.report, "validate", json_on_stdout=arguments.format == "json") as gathered:
            ended = _run(arguments, gathered)
            if gathered is not None:
                gathered.ended = ended
            return ended
    finally:
        gc.freeze()  # nor need the interpreter look through them as it ends
        gc.enable()


def _run(arguments: argparse.Namespace, gathered: Gathered | None) -> Exit:
    written = [word for word in arguments.paths if _names_investigations(word)]
    # A folder of investigations that holds contracts as well is both.
    others = [word for word in arguments.paths if word not in written or any(Path(word).rglob("*.y*ml"))]
    validated = validate(resolved_contracts(others) if others or not written else {}, _note)
    findings = validated.findings
    investigations = 0
    if written:
        # Imported late: few projects have investigations, and hooks name contracts.
        from pv.investigation_judgement import judge_investigations

        about, investigations = judge_investigations(written)
        findings += about
    if not validated.files and not investigations:
        raise SelectionError("no contract was named", remedy="Name a contract or a folder with contracts.")
    findings.sort(key=_order)
    if gathered is not None:
        gathered.strict = arguments.strict
        gathered.add_findings(findings, validated.files)
    errors = sum(finding.severity == "error" for finding in findings)
    count = len(validated.files)
    if arguments.format == "json":
        _json(findings, count, investigations, errors)
    else:
        _text(findings, count, investigations, errors, strict=arguments.strict)
    return Exit.REJECTED if errors or (arguments.strict and findings) else Exit.ACCEPTED


def _note(message: str) -> None:
    print(printable(message), file=sys.stderr)


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    where = finding.where
    return where.path, where.line, where.column, finding.code, finding.message


def _names_investigations(word: str) -> bool:
    return word.endswith(".md") or ("\0" not in word and Path(word).resolve().name == "findings")


def _text(
    findings: Sequence[Finding], contracts: int, investigations: int, errors: int, *, strict: bool
) -> None:
    remedies = {finding.remedy: printable(f"    {finding.remedy}") for finding in findings}
    # Many lines a write: where nothing is kept back, each would be a call of the system.
    for start in range(0, len(findings), _LINES):
        lines: list[str] = []
        for finding in findings[start : start + _LINES]:
            said = f"{finding.where}: {finding.severity}[{finding.code}]: {finding.message}"
            lines += printable(said), remedies[finding.remedy]
        print("\n".join(lines))
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
