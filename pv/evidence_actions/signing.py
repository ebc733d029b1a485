"""``pv evidence keygen|sign``: a key, and signatures of records by it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence_actions.selecting import records_named
from pv.exits import Exit
from pv.printable import printable, printable_json

__all__ = ["configure_keygen", "configure_sign", "keygen", "sign"]


def configure_keygen(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence keygen``."""
    parser.add_argument("file", metavar="FILE", help="where the private key goes; FILE.pub is the public one")


def configure_sign(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence sign``."""
    parser.add_argument(
        "what", nargs="*", metavar="ID|PATH", help="falsifiers, contracts or record files; default: all"
    )
    parser.add_argument("--key", required=True, metavar="FILE", help="the private key")


def keygen(arguments: argparse.Namespace, _config: Config) -> Exit:
    """Make a key, and say what policies call it."""
    from pv.signatures.keys import generate_key

    key = generate_key(Path(arguments.file))
    if arguments.format == "json":
        print(
            json.dumps({"key": arguments.file, "public": f"{arguments.file}.pub", "id": key.keyid}, indent=1)
        )
    else:
        print(printable(f"{arguments.file}: keep it; {arguments.file}.pub: for policies"))
        print(f'id = "{key.keyid}"')
    return Exit.ACCEPTED


def sign(arguments: argparse.Namespace, config: Config) -> Exit:
    """Sign every record that was named and verifies."""
    from pv.signatures.keys import load_signer
    from pv.signatures.sign import sign_record

    signer = load_signer(Path(arguments.key))
    done: dict[bool, list[str]] = {True: [], False: []}
    refused: list[dict[str, str]] = []
    for path in records_named(arguments.what, config):
        shown = config.relative(path)
        try:
            done[sign_record(path, config.evidence, signer)].append(shown)
        except EvidenceError as error:
            refused.append({"record": shown, "why": error.what})
            print(printable(f"{shown}: error: {error.what}"), file=sys.stderr)
            print(printable(f"    {error.remedy}"), file=sys.stderr)
    key = signer.public_key.keyid
    if arguments.format == "json":
        document = {"key": key, "signed": done[True], "there": done[False], "refused": refused}
        print(printable_json(json.dumps(document, indent=1)))
    else:
        counts = f"{len(done[True])} signed, {len(done[False])} signed before"
        print(f"{counts}{f', {len(refused)} REFUSED' if refused else ''}: key {key[:12]}…")
    return Exit.REJECTED if refused else Exit.ACCEPTED
