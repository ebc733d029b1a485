"""``pv evidence export``: records as statements of a predicate that other tools read."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from pv.canonical import canonical
from pv.config import Config
from pv.errors import ConfigError, EvidenceError
from pv.evidence_actions.selecting import records_named
from pv.exits import Exit
from pv.printable import printable, printable_json
from pv.whole_file import replace_file

__all__ = ["configure", "export"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence export``."""
    parser.add_argument(
        "what", nargs="*", metavar="ID|PATH", help="falsifiers, contracts or record files; default: all"
    )
    parser.add_argument(
        "--predicate", choices=("test-result",), default="test-result", help="default: test-result"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="one statement a line; with --key, an envelope"
    )
    parser.add_argument("--key", metavar="FILE", help="a private key, which signs each statement")


def export(arguments: argparse.Namespace, config: Config) -> Exit:
    """Write statements about the records that were named and verify; where one does not, write nothing."""
    from pv.evidence_transfer import carry, check
    from pv.reports.predicates import PREDICATES

    pairs = []
    refused: list[dict[str, str]] = []
    signer = None
    if arguments.key is not None:
        from pv.signatures.keys import load_signer

        signer = load_signer(Path(arguments.key))
    for path in records_named(arguments.what, config):
        try:
            carried = carry(path)
            pairs.append((carried, check(carried, config.evidence)))
        except EvidenceError as error:
            refused.append({"record": config.relative(path), "why": error.what})
            print(printable(f"{config.relative(path)}: error: {error.what}"), file=sys.stderr)
    statements = [] if refused else PREDICATES[arguments.predicate](pairs)
    if not refused:
        lines = [canonical(statement) for statement in statements]
        if signer is not None:
            from pv.signatures.envelope import envelope_document
            from pv.signatures.sign import sign_payload

            lines = [canonical(envelope_document(sign_payload(line, signer))) for line in lines]
        try:
            replace_file(Path(arguments.output), b"".join(line + b"\n" for line in lines))
        except OSError as error:
            raise ConfigError(
                f"cannot write {arguments.output}: {error.strerror}", remedy="name another file"
            ) from error
    results = Counter(statement["predicate"]["result"] for statement in statements)
    if arguments.format == "json":
        document = {"output": arguments.output, "statements": len(statements), "results": results}
        print(printable_json(json.dumps({**document, "refused": refused}, indent=1)))
    elif refused:
        print(f"{len(refused)} of {len(refused) + len(pairs)} record(s) do not verify: nothing was written.")
    else:
        told = ", ".join(f"{count} {result}" for result, count in sorted(results.items()))
        print(
            printable(f"{len(pairs)} record(s), {len(statements)} statement(s): {told}: {arguments.output}")
        )
    return Exit.REJECTED if refused else Exit.ACCEPTED
