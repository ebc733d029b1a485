"""``pv evidence ACTION``: read records, recompute what they say, sign and carry them, look back."""

from __future__ import annotations

import argparse
import json

from pv.common_options import add_format_argument
from pv.config import Config, load_config
from pv.errors import EvidenceError
from pv.evidence import read_record
from pv.evidence_actions import (
    audit,
    comparing,
    exporting,
    history,
    ledger,
    signing,
    transfer,
    verifying,
)
from pv.evidence_actions.selecting import records_named
from pv.exits import Exit
from pv.printable import printable, printable_json
from pv.reports.evidence import summary

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence``."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, help_text, configure_action, action in (
        ("show", "show the records of falsifiers", _named, _show),
        (
            "verify",
            "recompute every verdict; name the section that was altered; judge signatures by a policy",
            verifying.configure,
            verifying.verify_records,
        ),
        ("keygen", "make a key that signs records", signing.configure_keygen, signing.keygen),
        ("sign", "sign records that verify", signing.configure_sign, signing.sign),
        (
            "export",
            "write records as statements that other tools read, signed if you like",
            exporting.configure,
            exporting.export,
        ),
        ("push", "add records to a store that several hosts share", transfer.configure_push, transfer.push),
        ("pull", "put the best records of a store into the folder", transfer.configure_pull, transfer.pull),
        (
            "import",
            "put the best of records from elsewhere into the folder",
            transfer.configure_import,
            transfer.fetch,
        ),
        (
            "ledger",
            "enter every record into a database, for queries; verify the chain of its entries",
            ledger.configure,
            ledger.run,
        ),
        (
            "history",
            "show how falsifiers came out, run by run, and what changed",
            history.configure,
            history.show,
        ),
        ("diff", "explain in what two records differ", comparing.configure_diff, comparing.diff),
        (
            "reproduce",
            "run again what records say was run, and compare; writes no evidence",
            comparing.configure_reproduce,
            comparing.reproduce,
        ),
        (
            "audit",
            "measure a drawn part of a record again, and say what a lie would have risked",
            audit.configure,
            audit.audit,
        ),
    ):
        added = actions.add_parser(name, help=help_text)
        configure_action(added)
        add_format_argument(added)
        added.set_defaults(action=action)


def run(arguments: argparse.Namespace) -> Exit:
    """Do the action that was named."""
    result: Exit = arguments.action(arguments, load_config())
    return result


def _named(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="*", metavar="ID|PATH", help="falsifiers, contracts or record files; default: all"
    )


def _show(arguments: argparse.Namespace, config: Config) -> Exit:
    paths = records_named(arguments.what, config)
    if arguments.format == "json":
        print(printable_json(json.dumps([read_record(path).statement for path in paths], indent=1)))
        return Exit.ACCEPTED
    for path in paths:
        record = read_record(path)
        try:
            lines = summary(record, config.relative(path))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise EvidenceError(
                f"{config.relative(path)} has not the shape of a record",
                remedy="`pv evidence verify` says more",
            ) from error
        print("\n".join(printable(line) for line in lines) + "\n")
    return Exit.ACCEPTED
