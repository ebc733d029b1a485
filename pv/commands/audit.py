"""``pv audit``: follow each claim from its source to its evidence, and name every link that does not hold."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pv.common_options import add_format_argument
from pv.contract import Contract, NotAContractError, ShapeError
from pv.errors import DocumentError, Location, PvError, SelectionError
from pv.exits import Exit
from pv.finding import Finding
from pv.garbage import uncollected
from pv.loading import load_contracts
from pv.printable import printable, printable_json
from pv.reports.destinations import add_report_argument, reporting
from pv.repository import find_contracts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv.binding_registry import Registry
    from pv.reports.gathering import Gathered
    from pv.traceability import Chain

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = (
        "Follow each claim from its source to its evidence: source, equation, obligation, falsifier, check,"
        " record. Every link that does not hold is named. Nothing is run; `pv evidence audit` measures again."
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a contract, or a folder of such")
    parser.add_argument(
        "--binding", metavar="REGISTRY", help="also hold equations against a binding registry (YAML)"
    )
    parser.add_argument("--strict", action="store_true", help="warnings reject as well")
    add_format_argument(parser, description="default: text")
    add_report_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Print what is broken and how much each link bears; exit 1 at an error (``--strict``: any finding).

    Raises
    ------
    SelectionError
        A path names nothing, or nothing that claims anything.
    ContractError, DocumentError
        The binding registry is none.
    """
    alone = arguments.format == "json"
    with uncollected(), reporting(arguments.report, "audit", json_on_stdout=alone) as gathered:
        ended = _run(arguments, gathered)
        if gathered is not None:
            gathered.ended = ended
        return ended


def _run(arguments: argparse.Namespace, gathered: Gathered | None) -> Exit:
    # Imported late: registries, rules and evidence are of no use to who asks for help.
    from pv.binding_registry import load_registry
    from pv.reports.traceability import as_json, text

    registry = load_registry(arguments.binding) if arguments.binding else None
    contracts: list[Contract] = []
    files: list[Path] = []
    findings: list[Finding] = []
    paths = find_contracts(arguments.paths)
    for path, loaded in zip(paths, load_contracts(paths), strict=True):
        if isinstance(loaded, NotAContractError):
            print(printable(f"{path}: note: {loaded.what}; it was not audited"), file=sys.stderr)
            continue
        if isinstance(loaded, ShapeError):
            findings += loaded.findings
        elif isinstance(loaded, DocumentError):
            where = loaded.where or Location(str(path), 1, 1)
            findings.append(Finding(where, loaded.code, "error", loaded.what, loaded.remedy))
        elif isinstance(loaded, PvError):
            raise loaded
        else:
            contracts.append(loaded)
        files.append(path)
    if not findings and not any(c.equations or c.obligations or c.falsifiers for c in contracts):
        raise SelectionError(
            "no equation, obligation or falsifier was named: there is no chain to follow",
            remedy="Name a contract that claims something, or a folder with such.",
        )
    chains = _traced(contracts, registry)
    findings += (finding for chain in chains for finding in chain.findings)
    findings.sort(key=lambda finding: (finding.where, finding.code, finding.message))
    if gathered is not None:
        gathered.strict = arguments.strict
        gathered.add_findings(findings, files)
    if arguments.format == "json":
        import json

        print(printable_json(json.dumps(as_json(chains, findings), indent=1)))
    else:
        print(*text(chains, findings), sep="\n")
    errors = any(finding.severity == "error" for finding in findings)
    return Exit.REJECTED if errors or (arguments.strict and findings) else Exit.ACCEPTED


def _traced(contracts: Sequence[Contract], registry: Registry | None) -> list[Chain]:
    from pv.config import find_root
    from pv.gathered_contracts import GatheredContracts
    from pv.project import Project
    from pv.tracing import trace

    gathered = GatheredContracts.of(contracts)
    projects: dict[Path, Project] = {}
    roots: dict[Path, Path] = {}
    chains = []
    for contract in contracts:
        beside = Path(contract.path).resolve().parent
        if beside not in roots:
            roots[beside] = find_root(beside) or beside
        folder = roots[beside]
        if folder not in projects:
            projects[folder] = Project(folder, gathered)
        chains.append(trace(contract, projects[folder], registry))
    return chains
