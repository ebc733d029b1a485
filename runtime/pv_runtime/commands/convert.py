"""``apr convert FILE --quantize TYPE -o OUT``: the same model with its matrices in another type, as GGUF."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pv_runtime.commands.output import print_notes, refusal, require
from pv_runtime.errors import printable

__all__ = ["register"]

_TYPES = ("q4_k", "q4_k_m", "q5_k", "q6_k", "q8_0", "f16", "bf16", "f32")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "convert",
        help="quantise a model, or change the type of its weights",
        description="Write a model as GGUF with its matrices in another type; vectors are F32. K-quants are "
        "searched as ggml does, and q4_k_m is llama.cpp's mix of Q4_K and Q6_K.",
    )
    parser.add_argument("file", metavar="FILE", help="the model: a file, or a folder that holds exactly one")
    parser.add_argument("--quantize", required=True, choices=_TYPES, help="the type of the matrices")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the GGUF file")
    parser.add_argument("--without-tokenizer", action="store_true", help="leave the tokenizer out")
    parser.add_argument("-f", "--force", action="store_true", help="replace what is there")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file and say what was written; 2 where something is there already."""
    from pv_runtime.convert import convert
    from pv_runtime.formats import open_checkpoint

    require(arguments.file)
    if reason := refusal(arguments.output, force=arguments.force):
        print(reason, file=sys.stderr)
        return 2
    model = open_checkpoint(arguments.file)
    folder = Path(arguments.file)
    done = convert(
        model,
        arguments.output,
        arguments.quantize,
        folder=folder if folder.is_dir() else None,
        with_tokenizer=not arguments.without_tokenizer,
    )
    made = done.exported
    print_notes(model, made.notes)
    if arguments.json:
        report = {
            "schema_version": 1,
            "source": model.path,
            "source_format": model.format,
            "source_sha256": made.source_sha256,
            "quantize": arguments.quantize,
            "files": list(made.files),
            "tensors": made.tensors,
            "dtypes": dict(made.dtypes),
            "fallbacks": [
                {"name": name, "wanted": wanted, "taken": taken} for name, wanted, taken in done.fallbacks
            ],
            "tokenizer": made.tokenizer,
            "notes": list(made.notes),
        }
        print(json.dumps(report, indent=2))
        return 0
    dtypes = ", ".join(f"{count} {dtype}" for dtype, count in made.dtypes.items())
    print(f"wrote {printable(made.files[0])}: gguf, {made.tensors} tensors ({dtypes})")
    for name, wanted, taken in done.fallbacks:
        print(
            f"  {printable(name)} is {taken}, not {wanted}: its rows are no whole number of {wanted}'s blocks"
        )
    print(f"  tokenizer     {'carried over' if made.tokenizer else 'none'}")
    print(f"  derived from  sha256 {made.source_sha256}")
    return 0
