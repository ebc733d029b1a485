"""``pv validate``: the shape and the rules of contracts and investigations. Runs nothing that they name."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.common_options import add_format_argument
from pv.errors import ConfigError, SelectionError
from pv.exits import Exit
from pv.finding import Finding
from pv.garbage import uncollected
from pv.printable import printable
from pv.reports.destinations import add_report_argument, reporting
from pv.reports.validation import print_json, print_text
from pv.repository import resolved_contracts
from pv.result_cache.no_cache import add_cache_argument, minding_cache
from pv.validation import validate

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
    add_format_argument(parser, description="default: text")
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
    add_cache_argument(parser)
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
    if arguments.check_ids:
        # Imported late: it judges nothing, and is asked for seldom.
        from pv.obligation_ids import print_counts

        print_counts(arguments.paths, json_wanted=arguments.format == "json")
        return Exit.ACCEPTED
    alone = arguments.format == "json"
    with (
        uncollected(),
        minding_cache(arguments),
        reporting(arguments.report, "validate", json_on_stdout=alone) as gathered,
    ):
        ended = _run(arguments, gathered)
        if gathered is not None:
            gathered.ended = ended
        return ended


def _run(arguments: argparse.Namespace, gathered: Gathered | None) -> Exit:
    more: dict[str, Any] = {}
    written = [word for word in arguments.paths if _names_investigations(word)]
    # A folder of investigations that holds contracts as well is both.
    others = [word for word in arguments.paths if word not in written or any(Path(word).rglob("*.y*ml"))]
    found = resolved_contracts(others) if others or not written else {}
    if arguments.fix:
        from pv.mending import mend_files

        more["mended"] = mend_files([*found.values()], told=arguments.format == "text")
    validated = validate(found, _note)
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
    if arguments.baseline:
        from pv.known_findings import take_known

        findings, more["known"] = take_known(
            findings,
            validated.contracts(),
            validated.files,
            Path(arguments.baseline),
            write=arguments.write_baseline,
        )
    if gathered is not None:
        gathered.strict = arguments.strict
        gathered.add_findings(findings, validated.files)
    errors = sum(finding.severity == "error" for finding in findings)
    judged = {"Contract": 0, **validated.judged, "Investigation": investigations}
    if arguments.format == "json":
        print_json(findings, judged, errors, more)
    else:
        folders = [word for word in others if Path(word).is_dir()]
        print_text(
            findings, judged, errors, more.get("known", ()), folders, validated.files, strict=arguments.strict
        )
    return Exit.REJECTED if errors or (arguments.strict and findings) else Exit.ACCEPTED


def _note(message: str) -> None:
    print(printable(message), file=sys.stderr)


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    where = finding.where
    return where.path, where.line, where.column, finding.code, finding.message


def _names_investigations(word: str) -> bool:
    return word.endswith(".md") or ("\0" not in word and Path(word).resolve().name == "findings")
