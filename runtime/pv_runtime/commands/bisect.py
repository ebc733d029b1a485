"""``apr bisect REFERENCE CANDIDATE``: which stage of a model first goes wrong, and what it looks like."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pv_runtime.commands.output import print_interpreted, require
from pv_runtime.commands.run import DECODERS, DEVICES, MOST_THREADS
from pv_runtime.errors import LoadError, ModelError, printable_json, printable_lines

if TYPE_CHECKING:
    import torch

    from pv_runtime.bisect.bisection import Trace
    from pv_runtime.bisect.sides import Side

__all__ = ["register"]

DTYPES = ("float32", "bfloat16", "float16")
BACKENDS = ("reference", "triton", "transformers", "llama.cpp")
PROMPT = (
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return fibonacci(n - 1) + fibonacci(n - 2)\n"
)
"""What is computed where nobody says otherwise: some forty tokens, so that positions and masks matter."""
WRONG, USAGE, DECLINED = 1, 2, 3
_SIDES = ("reference", "candidate")
_DEFAULTS = {
    "decode": 3,
    **{
        f"{side}_{what}": value
        for side in _SIDES
        for what, value in (("backend", "reference"), ("dtype", "float32"), ("device", "cpu"))
    },
}
"""Of options that were not given: what was given, and is of no use, is refused even if it is the default."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "bisect",
        help="find the stage of a model that first goes wrong",
        description="Hold two implementations of a model against each other, every stage on the reference's "
        "inputs, and name the first whose own error is more than rounding. Each side is a model file, "
        "or a trace saved by `apr trace`; one of them has to compute. Ends with 0 where all stages agree, "
        "1 where one is wrong, 2 for a wrong command line, 3 where the two cannot be compared.",
    )
    parser.add_argument("reference", metavar="REFERENCE", help="a model, or a saved trace")
    parser.add_argument("candidate", metavar="CANDIDATE", help="a model, or a saved trace")
    prompt = parser.add_mutually_exclusive_group()
    prompt.add_argument("--payload", metavar="TEXT", help="the prompt (default: a short function)")
    prompt.add_argument("--token-ids", "--tokens", metavar="IDS", help="the prompt as numbers: 1,2,3")
    parser.add_argument("--tokenizer", metavar="DIR", help="take tokenizer.json from DIR, not from a model")
    parser.add_argument(
        "--decode", metavar="N", type=int,
        help="compute the last N tokens with the cache (default 3; 0: all in one pass)",
    )  # fmt: skip
    for side in _SIDES:
        parser.add_argument(
            f"--{side}-backend", choices=BACKENDS, help=f"what computes the {side} (reference)"
        )
        parser.add_argument(f"--{side}-dtype", choices=DTYPES, help=f"that the {side} computes in (float32)")
        parser.add_argument(f"--{side}-device", choices=DEVICES, help=f"where the {side} is computed (cpu)")
    parser.add_argument(
        "--mixed-dtypes", action="store_true", help="allow two dtypes, and judge by the coarser one"
    )
    parser.add_argument(
        "--resume", metavar="DIR", help="keep in DIR what is computed, and go on from what is there"
    )
    parser.add_argument("--threads", metavar="N", type=int, help="use so many threads")
    parser.add_argument("--stages", action="store_true", help="list every stage, not the wrong ones alone")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="for people or programs")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="--format json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report and return the exit code."""
    for path in (arguments.reference, arguments.candidate):
        require(path)
    if problem := _problem(arguments):
        print(printable_lines(f"error: {problem}"), file=sys.stderr)
        return USAGE
    try:
        if problem := _unused(arguments):
            print(printable_lines(f"error: {problem}"), file=sys.stderr)
            return USAGE
        for name, value in _DEFAULTS.items():
            if getattr(arguments, name) is None:
                setattr(arguments, name, value)
        return _bisected(arguments)
    except (LoadError, ModelError) as error:
        print(printable_lines(f"error: {error}"), file=sys.stderr)
        return DECLINED


def _problem(arguments: argparse.Namespace) -> str | None:
    if arguments.tokenizer is not None and arguments.token_ids is not None:
        return "--tokenizer has no text to encode: --token-ids are computed as they are"
    if arguments.decode is not None and arguments.decode < 0:
        return f"--decode is a number of tokens, and not {arguments.decode}"
    if arguments.threads is not None and not 1 <= arguments.threads <= MOST_THREADS:
        return f"--threads is a number from 1 to {MOST_THREADS}, and not {arguments.threads}"
    return None


def _unused(arguments: argparse.Namespace) -> str | None:
    """Say which option asks something of a trace that only what computes can do."""
    from pv_runtime.trace_file import is_trace

    traces = [side for side in _SIDES if is_trace(getattr(arguments, side))]
    for side in traces:
        for what in ("backend", "dtype", "device"):
            if getattr(arguments, f"{side}_{what}") is not None:
                return f"--{side}-{what} is of a side that computes, and the {side} is a saved trace"
    if traces and arguments.tokenizer is not None and arguments.payload is None:
        return "--tokenizer has no text to encode: a saved trace has its own tokens"
    if "candidate" in traces and arguments.decode:
        return "--decode is of a candidate that computes, and this one is a saved trace"
    if arguments.decode and arguments.candidate_backend not in {None, *DECODERS}:
        return f"--decode is of a cache, and {arguments.candidate_backend} is computed in one pass"
    return None


def _bisected(arguments: argparse.Namespace) -> int:
    import torch

    from pv_runtime.bisect.bisection import bisect
    from pv_runtime.bisect.preconditions import require_dtypes
    from pv_runtime.bisect.report import lines, report
    from pv_runtime.bisect.resume import resumable
    from pv_runtime.bisect.sides import Side

    started = time.perf_counter()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if not arguments.mixed_dtypes and not _are_traces(arguments):
        require_dtypes(arguments.reference_dtype, arguments.candidate_dtype)
    reference = _side(arguments, "reference")
    candidate = _side(arguments, "candidate", reference)
    sides = [each.backend for each in (reference, candidate) if isinstance(each, Side)]
    interpreted = any(getattr(each, "interpreted", False) for each in sides)
    if interpreted:
        print_interpreted()
    tokens = _tokens(arguments, reference, candidate)
    folder = None
    if arguments.resume:
        folder = resumable(Path(arguments.resume), arguments, tokens)
    found = bisect(
        reference,
        candidate,
        tokens,
        decoded=arguments.decode,
        folder=folder,
        mixed_dtypes=arguments.mixed_dtypes,
        progress=lambda words: print(f"{words} …", file=sys.stderr) if sys.stderr.isatty() else None,
    )
    result = report(
        found,
        reference=reference.name,
        candidate=candidate.name,
        interpreted=interpreted,
        seconds=time.perf_counter() - started,
    )
    if arguments.format == "json":
        print(printable_json(json.dumps(result, indent=2, allow_nan=False)))
    else:
        print("\n".join(lines(result, all_stages=arguments.stages)))
    return 0 if result["agree"] else WRONG


def _are_traces(arguments: argparse.Namespace) -> bool:
    from pv_runtime.trace_file import is_trace

    return is_trace(arguments.reference) or is_trace(arguments.candidate)


def _side(arguments: argparse.Namespace, which: str, other: Side | Trace | None = None) -> Side | Trace:
    """Open one side; a file that the `other` has opened already is the same model, and read once."""
    import torch

    from pv_runtime.bisect.sides import Side
    from pv_runtime.bisect.traces import loaded
    from pv_runtime.formats import open_checkpoint
    from pv_runtime.trace_file import is_trace

    path, backend = getattr(arguments, which), getattr(arguments, f"{which}_backend")
    if is_trace(path):
        return loaded(path)
    dtype = getattr(torch, getattr(arguments, f"{which}_dtype"))
    opened = other.model if isinstance(other, Side) else None
    same = opened is not None and Path(path).samefile(arguments.reference)
    model = opened if same else open_checkpoint(path)
    assert model is not None  # noqa: S101 - the other side was opened from its file
    name = path if backend == "reference" else f"{path} by {backend}"
    return Side.opened(name, model, backend, dtype, getattr(arguments, f"{which}_device"))


def _tokens(arguments: argparse.Namespace, reference: Side | Trace, candidate: Side | Trace) -> torch.Tensor:
    import torch

    from pv_runtime.bisect.bisection import Trace
    from pv_runtime.bisect.preconditions import require_tokens

    traces = [each for each in (reference, candidate) if isinstance(each, Trace)]
    if len(traces) == 2:
        raise ModelError("both are saved traces, and one side has to compute: `apr diff` compares two traces")
    asked = arguments.token_ids is not None or arguments.payload is not None
    if traces and not asked:
        return traces[0].tokens
    found = torch.tensor(_ids(arguments), dtype=torch.int64)
    if traces:
        require_tokens(found, traces[0].tokens)
    return found


def _ids(arguments: argparse.Namespace) -> list[int]:
    from pv_runtime.bisect.prompt import encoded, listed

    if arguments.token_ids is not None:
        return listed(arguments.token_ids)
    text = arguments.payload if arguments.payload is not None else PROMPT
    return encoded(text, [arguments.reference, arguments.candidate], arguments.tokenizer)
