"""``apr export FILE --format FORMAT -o OUT``: the same tensors in another container."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pv_runtime.commands.output import FORMATS, print_notes, refusal, require
from pv_runtime.errors import printable, printable_json

__all__ = ["register"]


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "export",
        help="write a model in another format, bit for bit",
        description="Write a model as GGUF, safetensors or APR. Values never change: block formats pass "
        "through, and what the other format cannot hold is refused.",
    )
    parser.add_argument("file", metavar="FILE", help="the model: a file, or a folder that holds exactly one")
    parser.add_argument("--format", required=True, choices=FORMATS, help="what to write")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT",
        help="the file; for safetensors a folder, unless it ends in .safetensors",
    )  # fmt: skip
    parser.add_argument("--without-tokenizer", action="store_true", help="leave the tokenizer out")
    parser.add_argument("-f", "--force", action="store_true", help="replace what is there")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file and say what was written; 2 where something is there already."""
    from pv_runtime.export import export
    from pv_runtime.formats import open_checkpoint

    require(arguments.file)
    is_folder = arguments.format == "safetensors" and not arguments.output.endswith(".safetensors")
    if reason := refusal(arguments.output, force=arguments.force, folder=is_folder, form=arguments.format):
        print(reason, file=sys.stderr)
        return 2
    model = open_checkpoint(arguments.file)
    folder = Path(arguments.file)
    done = export(
        model,
        arguments.output,
        arguments.format,
        folder=folder if folder.is_dir() else None,
        with_tokenizer=not arguments.without_tokenizer,
    )
    print_notes(model, done.notes)
    if arguments.json:
        report = {
            "schema_version": 1,
            "source": model.path,
            "source_format": model.format,
            "source_sha256": done.source_sha256,
            "format": arguments.format,
            "files": list(done.files),
            "tensors": done.tensors,
            "dtypes": dict(done.dtypes),
            "widened": list(done.widened),
            "tokenizer": done.tokenizer,
            "notes": list(done.notes),
        }
        print(printable_json(json.dumps(report, indent=2)))
        return 0
    dtypes = ", ".join(f"{count} {dtype}" for dtype, count in done.dtypes.items())
    print(f"wrote {printable(done.files[0])}: {arguments.format}, {done.tensors} tensors ({dtypes})")
    if done.widened:
        print(f"  {len(done.widened)} vectors widened to F32, exactly: {arguments.format} readers ask for it")
    print(f"  tokenizer     {'carried over' if done.tokenizer else 'none'}")
    print(f"  derived from  sha256 {done.source_sha256}")
    return 0
