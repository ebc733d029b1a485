"""``apr convert FILE --quantize TYPE -o OUT``: the same model with its matrices in another type."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pv_runtime.commands.output import FORMATS, form_of, print_notes, refusal, require
from pv_runtime.errors import printable, printable_json, printable_lines

__all__ = ["register"]

_TYPES = ("q4_k", "q4_k_m", "q5_k", "q6_k", "q8_0", "f16", "bf16", "f32")
_WITHOUT_BLOCKS = ("f16", "bf16", "f32")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "convert",
        help="quantise a model, or change the type of its weights",
        description="Write a model with its matrices in another type, as GGUF, safetensors or APR. K-quants "
        "are searched as ggml does, and q4_k_m is llama.cpp's mix of Q4_K and Q6_K. f16, bf16 and f32 "
        "dequantise.",
    )
    parser.add_argument("file", metavar="FILE", help="the model: a file, or a folder that holds exactly one")
    parser.add_argument("--quantize", required=True, choices=_TYPES, help="the type of the matrices")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT",
        help="the file; with --format safetensors a folder, unless it ends in .safetensors",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=FORMATS, help="what to write; by default what OUT ends in says, otherwise gguf"
    )
    parser.add_argument(
        "--requantize", "--allow-requantize", action="store_true",
        help="quantise what is quantised already, and lose twice",
    )  # fmt: skip
    parser.add_argument("--without-tokenizer", action="store_true", help="leave the tokenizer out")
    parser.add_argument("-f", "--force", action="store_true", help="replace what is there")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file and say what was written; 2 where something is there already."""
    from pv_runtime.convert import convert
    from pv_runtime.formats import open_checkpoint

    require(arguments.file)
    form = _form(arguments.output, arguments.format)
    if form is None:
        return _usage(f"{arguments.output}: is no name for {arguments.format}", "leave --format out")
    if form == "safetensors" and arguments.quantize not in _WITHOUT_BLOCKS:
        return _usage(
            f"safetensors has no block formats, and {arguments.quantize} is one",
            f"take {', '.join(_WITHOUT_BLOCKS)}, or name a .gguf or .apr file",
        )
    is_folder = form == "safetensors" and not arguments.output.endswith(".safetensors")
    if reason := refusal(arguments.output, force=arguments.force, folder=is_folder):
        print(reason, file=sys.stderr)
        return 2
    model = open_checkpoint(arguments.file)
    folder = Path(arguments.file)
    done = convert(
        model,
        arguments.output,
        arguments.quantize,
        form=form,
        requantise=arguments.requantize,
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
            "quantised_source": list(done.quantised),
            "format": form,
            "files": list(made.files),
            "tensors": made.tensors,
            "dtypes": dict(made.dtypes),
            "fallbacks": [
                {"name": name, "wanted": wanted, "taken": taken} for name, wanted, taken in done.fallbacks
            ],
            "tokenizer": made.tokenizer,
            "notes": list(made.notes),
        }
        print(printable_json(json.dumps(report, indent=2)))
        return 0
    dtypes = ", ".join(f"{count} {dtype}" for dtype, count in made.dtypes.items())
    print(f"wrote {printable(made.files[0])}: {form}, {made.tensors} tensors ({dtypes})")
    if done.quantised:
        how = "dequantised" if arguments.quantize in _WITHOUT_BLOCKS else "quantised again"
        print(f"  {how} from {', '.join(done.quantised)}: what was lost before stays lost")
    for name, wanted, taken in done.fallbacks:
        print(
            f"  {printable(name)} is {taken}, not {wanted}: its rows are no whole number of {wanted}'s blocks"
        )
    print(f"  tokenizer     {'carried over' if made.tokenizer else 'none'}")
    print(f"  derived from  sha256 {made.source_sha256}")
    return 0


def _form(output: str, stated: str | None) -> str | None:
    """Return the format to write, by `stated` or else by the end of the name; None where they differ."""
    ending = form_of(output)
    return None if stated and ending not in {None, stated} else stated or ending or "gguf"


def _usage(what: str, remedy: str) -> int:
    print(printable_lines(f"error: {what}\n    {remedy}"), file=sys.stderr)
    return 2
