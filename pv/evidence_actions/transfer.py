"""``pv evidence push|pull|import``: records to a store, and into the evidence folder."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.config import Config
from pv.errors import EvidenceError, SelectionError
from pv.evidence_actions.selecting import addresses_named, below, records_named, split_url
from pv.exits import Exit
from pv.printable import printable, printable_json

if TYPE_CHECKING:
    from pv.evidence_import import Decision, Offer
    from pv.record_facts import Refused

__all__ = ["configure_import", "configure_pull", "configure_push", "fetch", "pull", "push"]


def configure_push(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence push``."""
    parser.add_argument("what", nargs="*", metavar="URL|ID|PATH", help="a store; records; default: all")
    _store(parser)


def configure_pull(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence pull``."""
    parser.add_argument(
        "what", nargs="*", metavar="URL|ID|CONTRACT", help="a store; falsifiers; default: all"
    )
    _store(parser)
    _taking(parser)


def configure_import(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence import``."""
    parser.add_argument(
        "what", nargs="+", metavar="FILE|FOLDER|URL", help="records, folders of records, or a store"
    )
    _taking(parser)


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", metavar="URL", help="the store; default: that of pv.toml")


def _taking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--foreign", action="store_true", help="also take records of no falsifier of ours")
    parser.add_argument("--dry-run", action="store_true", help="say what would be taken, and take nothing")


def push(arguments: argparse.Namespace, config: Config) -> Exit:
    """Add records of the evidence folder to a store."""
    from pv.evidence_transfer import carry
    from pv.store import open_store

    words, url = split_url(arguments.what, arguments.store)
    store = open_store(url, config)
    done: dict[bool, list[str]] = {True: [], False: []}
    refused: list[dict[str, str]] = []
    for path in records_named(words, config):
        try:
            carried = carry(path)
            done[store.push(carried)].append(carried.name)
        except EvidenceError as error:
            refused.append({"record": config.relative(path), "why": error.what})
    if arguments.format == "json":
        document = {"store": store.shown, "pushed": done[True], "there": done[False], "refused": refused}
        print(printable_json(json.dumps(document, indent=1)))
    else:
        for one in refused:
            print(printable(f"REFUSED  {one['record']}: {one['why']}"))
        counts = f"{len(done[True])} pushed, {len(done[False])} there already"
        print(printable(f"{counts}{_refused(len(refused))}: {store.shown}"))
    return Exit.REJECTED if refused else Exit.ACCEPTED


def pull(arguments: argparse.Namespace, config: Config) -> Exit:
    """Put the best records of a store into the evidence folder."""
    from pv.store import open_store

    words, url = split_url(arguments.what, arguments.store)
    store = open_store(url, config)
    offers, faults = store.offers(addresses_named(words, config))
    return _take(offers, faults, f"{store.shown} has no such record", arguments, config)


def fetch(arguments: argparse.Namespace, config: Config) -> Exit:
    """Put the best of records from elsewhere into the evidence folder."""
    from pv.evidence_import import offer_of
    from pv.record_facts import Refused
    from pv.store import open_store

    offers: list[Offer] = []
    faults: list[Refused] = []
    for word in arguments.what:
        if "://" in word:
            found, bad = open_store(word, config).offers()
            offers += found
            faults += bad
            continue
        path = Path(word)
        if not path.exists():
            raise SelectionError(f"there is no file or folder {word}", remedy="name one that is there")
        for file in below(path) if path.is_dir() else [path]:
            try:
                offers.append(offer_of(file))
            except EvidenceError as error:
                faults.append(Refused.of("/".join(file.absolute().parts[-3:]), error))
    return _take(offers, faults, f"no record in {', '.join(arguments.what)}", arguments, config)


def _take(
    offers: Sequence[Offer],
    faults: Sequence[Refused],
    nothing: str,
    arguments: argparse.Namespace,
    config: Config,
) -> Exit:
    from pv.evidence_import import take

    if not offers and not faults:
        raise SelectionError(nothing, remedy="`pv evidence push` puts records into a store")
    decisions = take(offers, config, foreign=arguments.foreign, write=not arguments.dry_run)
    found: dict[str, list[dict[str, Any]]] = {"taken": [], "left": [], "refused": []}
    for decision in decisions:
        told = dataclasses.asdict(decision)
        found[told.pop("what")].append(told)
    found["refused"] += [{"name": fault.name, "digest": None, "why": fault.why} for fault in faults]
    if arguments.format == "json":
        print(printable_json(json.dumps(found, indent=1)))
    else:
        _print(decisions, faults, dry_run=arguments.dry_run)
    return Exit.REJECTED if found["refused"] else Exit.ACCEPTED


_COUNTED = frozenset({"it is here already", "the other began later"})
"""Why records are left that need no line each: a store has many of them."""


def _print(decisions: Sequence[Decision], faults: Sequence[Refused], *, dry_run: bool) -> None:
    for one in decisions:
        if one.what != "left" or one.why not in _COUNTED:
            word = {"taken": "taken  ", "left": "left   ", "refused": "REFUSED"}[one.what]
            print(printable(f"{word}  {one.name} ({one.digest[:12]}): {one.why}"))
    for fault in faults:
        print(printable(f"REFUSED  {fault.name}: {fault.why}"))
    counts = Counter(one.what for one in decisions)
    counted = Counter(one.why for one in decisions if one.what == "left" and one.why in _COUNTED)
    of = ", ".join(f"{count} because {why}" for why, count in sorted(counted.items()))
    taken = f"{counts['taken']} {'would be taken' if dry_run else 'taken'}"
    left = f"{counts['left']} left" + (f" ({of})" if of else "")
    print(f"{taken}, {left}{_refused(counts['refused'] + len(faults))}")
    if counts["taken"] and not dry_run:
        print("`pv status` says what they support; commit them with the folder", file=sys.stderr)


def _refused(count: int) -> str:
    return f", {count} REFUSED" if count else ""
