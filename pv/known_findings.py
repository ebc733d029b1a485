"""What ``pv validate`` does with a baseline: known findings aside, or all of them written down."""

from __future__ import annotations

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
    path: Path,
    *,
    write: bool,
) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that count, and those that the baseline at `path` knows.

    `files` were judged, of which `contracts` have the shape of one. With `write` the file is written first,
    so that all that may be known is.

    Raises
    ------
    ConfigError
        The file is no baseline.
    """
    clauses: dict[str, Clauses] = {}
    by_path = {contract.path: contract for contract in contracts}

    def clause_of(finding: Finding) -> str:
        name = finding.where.path
        if name not in by_path:
            return ""
        if name not in clauses:
            clauses[name] = Clauses(by_path[name])
        return clauses[name].at(finding.where)

    if write:
        count = write_baseline(path, findings, clause_of, files)
        print(printable(f"{path}: {count} finding(s) are known from here on"), file=sys.stderr)
    found = sort_out(read_baseline(path), findings, clause_of, files)
    new = sorted([*found.new, *found.gone], key=lambda one: (one.where, one.code, one.message))
    return new, found.known
