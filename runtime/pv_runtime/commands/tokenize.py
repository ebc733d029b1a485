"""``apr tokenize``: text to token shards."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pv_runtime.commands.output import require, show
from pv_runtime.errors import printable, printable_json, printable_lines

__all__ = ["register"]


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "tokenize",
        help="turn text into token shards",
        description="Encode text and write token ids, 32 bits little-endian, one after another. A document "
        "is a file; none is divided between shards, and what is held out is in a folder of its own.",
    )
    parser.add_argument("text", metavar="TEXT", help="a file, or a folder of text files")
    parser.add_argument("--tokenizer", required=True, metavar="T", help="a folder that holds tokenizer.json")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="a new folder for the shards")
    parser.add_argument(
        "--shard-tokens", type=int, default=1 << 26, metavar="N",
        help="a shard ends with the document that brings it to N tokens (67108864)",
    )  # fmt: skip
    parser.add_argument(
        "--held-out", type=float, metavar="SHARE",
        help="hold this share of the bytes out, in OUT/held-out, by documents; 0 holds none (0.05)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the shards and say what was written; 2 for a command line that cannot be meant."""
    require(arguments.text)
    require(arguments.tokenizer)
    share = 0.05 if arguments.held_out is None else arguments.held_out
    output = Path(arguments.output)
    if problem := _problem(arguments, output, share):
        print(printable_lines(f"error: {problem}"), file=sys.stderr)
        return 2
    from pv_runtime.pretrain.tokenize import write_shards
    from pv_runtime.tokenizer import tokenizer_in

    tokenizer = tokenizer_in(Path(arguments.tokenizer))
    report: dict[str, Any] = write_shards(
        Path(arguments.text), tokenizer, output, shard_tokens=arguments.shard_tokens, held_out=share
    )
    if arguments.json:
        show(printable_json(json.dumps(report, indent=2, allow_nan=False)))
        return 0
    for part in ("training", "held_out"):
        tokens = sum(shard["tokens"] for shard in report[part])
        name = part.replace("_", " ")
        count, shards = report["documents"][part], len(report[part])
        show(f"{name:<9} {count} documents, {tokens:,} tokens in {shards} shards")
    show(f"wrote     {printable(arguments.output)}")
    return 0


def _problem(arguments: argparse.Namespace, output: Path, share: float) -> str | None:
    if arguments.shard_tokens < 1:
        return f"--shard-tokens cannot be {arguments.shard_tokens}"
    if not 0 <= share < 1:
        return f"--held-out cannot be {share}: it is a share of all bytes, below 1"
    if output.exists():
        return f"{printable(arguments.output)}: is there already\n    name a new folder"
    if not output.absolute().parent.is_dir():
        return f"{printable(arguments.output)}: there is no folder to make it in\n    make that first"
    return None
