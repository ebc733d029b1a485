"""``apr stamp FILE -o OUT``: licence, source of the data, architecture, tokenizer, written into a copy."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pv_runtime.commands.output import print_notes, refusal, require
from pv_runtime.errors import printable, printable_json, printable_lines

__all__ = ["register"]

_LONGEST = 4096
_PLACEHOLDERS = frozenset({
    "(missing)", "missing", "none", "null", "n/a", "tbd", "todo", "unknown", "proprietary", "other",
    "noassertion", "???",
})  # fmt: skip
"""Words that stand where nothing is known; a file that says nothing is more honest."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "stamp",
        help="say where a model comes from, in the file",
        description="Write a copy of a safetensors, GGUF or APR file whose metadata state licence, data "
        "source or architecture, or that carries a tokenizer. The tensors are copied byte for byte.",
    )
    parser.add_argument("file", metavar="FILE", help="the file, or a folder that holds exactly one")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write")
    parser.add_argument("--license", metavar="SPDX", help="licence of the weights: an SPDX expression")
    parser.add_argument("--data-source", metavar="TEXT", help="what the model was trained on")
    parser.add_argument("--data-license", metavar="SPDX", help="licence of that: an SPDX expression")
    parser.add_argument("--architecture", metavar="NAME", help="such as qwen2")
    parser.add_argument("--hf-architecture", metavar="CLASS", help="such as Qwen2ForCausalLM")
    parser.add_argument("--hf-model-type", metavar="NAME", help="model_type of config.json")
    parser.add_argument(
        "--tokenizer", metavar="DIR", help="folder whose tokenizer.json is embedded (GGUF and APR)"
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace what is there")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the copy and say what it states; 2 for a field that is none, or a file that is there already."""
    from pv_runtime.formats import open_checkpoint
    from pv_runtime.stamp import FIELDS, LICENCES, licence, stamp

    given = {key: getattr(arguments, key) for key in FIELDS if getattr(arguments, key) is not None}
    if not given and arguments.tokenizer is None:
        options = [*FIELDS, "tokenizer"]
        return _usage(
            "nothing to stamp", f"give one of {', '.join('--' + key.replace('_', '-') for key in options)}"
        )
    for key, text in given.items():
        if not text.strip() or not text.isprintable() or len(text) > _LONGEST:
            return _usage(
                f"--{key.replace('_', '-')} is no line of text", "give a name, a sentence or an address"
            )
        if key in LICENCES:
            try:
                given[key] = licence(text)
            except ValueError as error:
                return _usage(str(error), "the identifiers are listed at https://spdx.org/licenses/")
        elif text.strip().casefold() in _PLACEHOLDERS:
            return _usage(
                f"--{key.replace('_', '-')} {text.strip()!r} says nothing", "leave it out, or say what it is"
            )
    require(arguments.file)
    folder = None
    if arguments.tokenizer is not None:
        require(arguments.tokenizer)
        folder = Path(arguments.tokenizer)
        folder = folder.parent if folder.name == "tokenizer.json" else folder
    if reason := refusal(arguments.output, force=arguments.force):
        print(reason, file=sys.stderr)
        return 2
    model = open_checkpoint(arguments.file)
    if reason := refusal(arguments.output, force=True, form=model.format):
        print(reason, file=sys.stderr)
        return 2
    done = stamp(model, arguments.output, given, tokenizer=folder)
    print_notes(model, done.notes)
    if arguments.json:
        report = {
            "schema_version": 1,
            "source": model.path,
            "source_sha256": done.source_sha256,
            "source_bytes": done.source_bytes,
            "output": arguments.output,
            "output_bytes": done.output_bytes,
            "format": model.format,
            "tensors": done.tensors,
            "stamped": dict(done.fields),
            "tokenizer": done.vocabulary is not None,
            "changed": done.changed,
            "notes": list(done.notes),
        }
        print(printable_json(json.dumps(report, indent=2)))
        return 0
    print(f"wrote {printable(arguments.output)}: {model.format}, {done.tensors} tensors copied byte for byte")
    if not done.changed:
        print("  it said all of this before, and was copied as it is")
    for key, text in done.fields.items():
        print(f"  {key:<15} {printable(text)}")
    if done.vocabulary is not None:
        print(f"  tokenizer       {done.vocabulary:,} tokens")
    print(f"  derived from    sha256 {done.source_sha256}")
    return 0


def _usage(what: str, remedy: str) -> int:
    print(printable_lines(f"error: {what}\n    {remedy}"), file=sys.stderr)
    return 2
