"""``pv graph``: how contracts, obligations and falsifiers depend on each other."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from pv.common_options import add_format_argument
from pv.config import Config, load_config
from pv.contract import Contract
from pv.exits import Exit
from pv.garbage import uncollected
from pv.graph import build_graph
from pv.printable import printable, printable_json
from pv.reports.graph import as_json, dot, mermaid, text
from pv.result_cache.no_cache import add_cache_argument, minding_cache
from pv.selection import load_all, load_paths

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv graph``."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="default: every contract of the project")
    parser.add_argument(
        "--contracts", action="store_true", help="only contracts and what they depend on, no falsifiers"
    )
    add_format_argument(parser, ("text", "dot", "mermaid", "json"), "how it is written")
    add_cache_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Print the graph, and what is wrong with it on stderr; exit 1 at a cycle or a dangling edge of ours."""
    with uncollected(), minding_cache(arguments):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> Exit:
    config = load_config(required=False)
    contracts = load_paths(arguments.paths, config)
    graph = build_graph(contracts, _known(config) if arguments.paths else contracts, config)
    detailed = not arguments.contracts
    if arguments.format == "json":
        print(printable_json(json.dumps(as_json(graph, detailed=detailed), indent=1)))
    else:
        writer = {"text": text, "dot": dot, "mermaid": mermaid}[arguments.format]
        print(*writer(graph, detailed=detailed), sep="\n")
    sys.stdout.flush()
    for finding in graph.findings:
        for line in str(finding).splitlines():
            print(printable(line), file=sys.stderr)
    return Exit.REJECTED if graph.broken else Exit.ACCEPTED


def _known(config: Config) -> list[Contract]:
    """Load what references may lead to besides what was named; outside of a project that is nothing."""
    folders = [folder for folder in config.contracts if (config.root / folder).exists()]
    return load_all(dataclasses.replace(config, contracts=tuple(folders))) if folders else []
