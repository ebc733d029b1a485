"""``pv fetch``: bring subjects from the hub into its cache, and hold them against their pins."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from pv.common_options import add_format_argument
from pv.config import Config, SubjectSpec, load_config
from pv.errors import PvError, SelectionError
from pv.exits import Exit, worst
from pv.fetch import Fetched, fetch
from pv.printable import printable, printable_json
from pv.subjects import Subjects

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv fetch``."""
    parser.add_argument("what", nargs="*", metavar="NAME", help="subjects of pv.toml with an hf:// path")
    parser.add_argument("--all", action="store_true", help="all of them")
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Fetch one subject after the other; one that fails does not keep the others away."""
    config = load_config()
    done: list[Fetched] = []
    ends: list[Exit] = []
    for spec in _chosen(arguments, config):
        try:
            fetched = fetch(spec, config, _say)
        except PvError as error:
            for line in str(error).splitlines():
                print(printable(line), file=sys.stderr)
            ends.append(error.exit)
            continue
        ends.append(Exit.ACCEPTED)
        done.append(fetched)
        if arguments.format == "text":
            _print(fetched)
    if arguments.format == "json":
        print(printable_json(json.dumps([dataclasses.asdict(fetched) for fetched in done], indent=1)))
    return worst(ends)


def _chosen(arguments: argparse.Namespace, config: Config) -> list[SubjectSpec]:
    if arguments.all == bool(arguments.what):
        raise SelectionError("nothing was selected, or twice", remedy="name subjects, or write --all")
    subjects = Subjects(config)
    if arguments.all:
        found = [spec for spec in config.subjects.values() if spec.path.startswith("hf://")]
        if not found:
            raise SelectionError("no subject has an hf:// path", remedy="there is nothing to fetch")
        return found
    chosen: dict[str, SubjectSpec] = {}
    for name in arguments.what:
        spec = subjects.spec(name)
        while spec.builder:  # it is built here, from what may have to be fetched
            spec = subjects.spec(spec.derived_from[0])
        if not spec.path.startswith("hf://"):
            raise SelectionError(
                f"subject {spec.name} is not on the hub: {spec.path}",
                remedy=spec.how_to_get or "put it there by hand",
            )
        chosen[spec.name] = spec
    return list(chosen.values())


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr)


def _print(fetched: Fetched) -> None:
    came = f"fetched {fetched.files} file(s)" if fetched.files else "was here"
    if fetched.pinned:
        print(f"{fetched.name}: {came}, sha256 {fetched.sha256}, as pinned")
    else:
        print(f"{fetched.name}: {came}; no status can rest on it before pv.toml pins it:")
        print(f'    sha256 = "{fetched.sha256}"')
