"""What ``pv validate`` does with a baseline: known findings aside, or all of them written down."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pv.baseline import read_baseline, sort_out, write_baseline
from pv.clause_at import Clauses
from pv.contract import Contract
from pv.finding import Finding
from pv.printable import printable

__all__ = ["take_known"]


def take_known(
    findings: Sequence[Finding],
    contracts: Sequence[Contract],
    files: Sequence[Path],
    arguments: argparse.Namespace,
) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that count, and those that the baseline knows.

    `files` were judged, of which `contracts` have the shape of one. With ``write_baseline`` the file is
    written first, so that all that may be known is.

    Raises
    ------
    ConfigError
        The file is no baseline.
    """
    clauses: dict[str, Clauses] = {}
    by_path = {contract.path: contract for contract in contracts}

    def clause_of(finding: Finding) -> str:
        path = finding.where.path
        if path not in by_path:
            return ""
        if path not in clauses:
            clauses[path] = Clauses(by_path[path])
        return clauses[path].at(finding.where)

    path = Path(arguments.baseline)
    if arguments.write_baseline:
        count = write_baseline(path, findings, clause_of, files)
        print(printable(f"{path}: {count} finding(s) are known from here on"), file=sys.stderr)
    found = sort_out(read_baseline(path), findings, clause_of, files)
    new = sorted([*found.new, *found.gone], key=lambda one: (one.where, one.code, one.message))
    return new, found.known
