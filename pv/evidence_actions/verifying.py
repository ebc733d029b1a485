"""``pv evidence verify``: recompute every verdict, and judge signatures by a policy."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import read_record
from pv.evidence_actions.selecting import below, records_named
from pv.exits import Exit
from pv.printable import printable, printable_json
from pv.verify import verify

if TYPE_CHECKING:
    from pv.signatures.reasons import Refusal

__all__ = ["configure", "verify_records"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv evidence verify``."""
    parser.add_argument(
        "what", nargs="*", metavar="ID|PATH", help="falsifiers, contracts or record files; default: all"
    )
    parser.add_argument(
        "--policy",
        metavar="FILE",
        help="also judge signatures: whose word counts for what, until when (default: what pv.toml names)",
    )


def verify_records(arguments: argparse.Namespace, config: Config) -> Exit:
    """Verify the records that were named."""
    if arguments.policy is not None:
        return _by_policy(arguments, config, Path(arguments.policy), arguments.policy)
    for shown, path in config.policies.items():
        return _by_policy(arguments, config, path, shown)
    paths = records_named(arguments.what, config)
    faults: list[dict[str, str]] = []
    for path in paths:
        try:
            verify(read_record(path))
        except EvidenceError as error:
            faults.append({"record": config.relative(path), "fault": error.what})
            print(printable(f"{config.relative(path)}: error: {error.what}"), file=sys.stderr)
            print(printable(f"    {error.remedy}"), file=sys.stderr)
    if arguments.format == "json":
        print(printable_json(json.dumps({"records": len(paths), "faults": faults}, indent=1)))
    elif faults:
        print(f"{len(faults)} of {len(paths)} record(s) do not verify.")
    else:
        print(f"{len(paths)} record(s) verified: every verdict follows from its measurements.")
    return Exit.REJECTED if faults else Exit.ACCEPTED


def _by_policy(arguments: argparse.Namespace, config: Config, file: Path, shown: str) -> Exit:
    from pv.signatures.policy_file import read_policy
    from pv.signatures.trust import Trust

    policy = read_policy(file, shown)
    trust = Trust(policy, config, dt.datetime.now(dt.UTC))
    refusals: list[Refusal] = trust.whole(shown)
    everything = not arguments.what
    if everything:
        # What is not there is missed only where all is looked at; and then it may be that nothing is there.
        refusals += trust.missing()
        paths = below(config.evidence) if refusals else records_named([], config)
        refusals += trust.alone(folder for folder in config.evidence.glob("*/*") if folder.is_dir())
    else:
        paths = records_named(arguments.what, config)
        refusals += trust.alone(path.parent for path in paths)
    bad = 0
    for path in paths:
        found = trust.record(path)
        bad += bool(found)
        refusals += found
    if arguments.format == "json":
        listed = [{"name": one.name, "reason": one.reason.value, "why": one.why} for one in refusals]
        print(printable_json(json.dumps({"records": len(paths), "refused": listed}, indent=1)))
    else:
        for one in refusals:
            print(printable(f"{one.name}: {one.reason.value}: {one.why}"))
        told = (
            f"{bad} of {len(paths)} record(s) are not trusted" if bad else f"{len(paths)} record(s) trusted"
        )
        others = sum(one.name not in {config.relative(path) for path in paths} for one in refusals)
        print(printable(f"{told}{f', and {others} other refusal(s)' if others else ''}: {shown}"))
    return Exit.REJECTED if refusals else Exit.ACCEPTED
