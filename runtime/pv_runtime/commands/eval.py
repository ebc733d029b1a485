"""``apr eval MODEL --benchmark FILE``: how many problems of completion a model solves."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_runtime.commands.output import refusal, require
from pv_runtime.commands.run import DTYPES, MOST_THREADS
from pv_runtime.errors import printable_json, printable_lines

if TYPE_CHECKING:
    from pv_runtime.evaluation.completions import Completion
    from pv_runtime.evaluation.judging import Judged
    from pv_runtime.evaluation.problems import Problem
    from pv_runtime.evaluation.sandbox import Limits

__all__ = ["register"]

USAGE, DECLINED = 2, 3
_OF_A_MODEL = {
    "samples": 1, "temperature": 0.0, "seed": 0, "max_new_tokens": 256, "dtype": "float32", "tokenizer": None,
    "threads": None,
}  # fmt: skip
"""What only a model reads, with its default; given beside --completions, it would change nothing."""
_MOST_WORKERS = 64


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "eval",
        help="measure how many problems of completion a model solves",
        description="Let a model go on from the prompts of a benchmark in HumanEval's shape, run each "
        "program with its test in a process without network and with limits, and estimate pass@k without "
        "bias. Ends with 0 when it has measured, 1 for a file that is refused, 2 for a wrong command line, 3 "
        "where the network cannot be taken from programs.",
    )
    parser.add_argument("model", metavar="MODEL", nargs="?", help="a file, or a folder that holds one model")
    parser.add_argument(
        "--benchmark", metavar="FILE", required=True, help="problems, one JSON object a line; may be gzipped"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="take the first N problems only")
    parser.add_argument(
        "--completions", metavar="FILE", help="judge these, one JSON object a line, and ask no model"
    )
    parser.add_argument(
        "--baselines", action="store_true", help="judge answers that take no model, too, for comparison"
    )
    writing = parser.add_argument_group("what the model writes")
    writing.add_argument("--samples", type=int, metavar="N", help="completions of each problem (1)")
    writing.add_argument("--temperature", type=float, metavar="T", help="0, the default: the likeliest token")
    writing.add_argument("--seed", type=int, metavar="N", help="for other draws (0)")
    writing.add_argument("--max-new-tokens", type=int, metavar="N", help="most of a completion (256)")
    writing.add_argument(
        "--tokenizer", metavar="DIR", help="take tokenizer.json from DIR, not from the model"
    )
    writing.add_argument("--dtype", choices=DTYPES, help="of weights and computation (float32)")
    writing.add_argument("--threads", type=int, metavar="N", help="of the processor; all cores by default")
    judging = parser.add_argument_group("how it is judged")
    judging.add_argument("--k", metavar="K,K", default="1", help="estimate pass@k for these k (1)")
    judging.add_argument("--timeout", type=float, default=10.0, metavar="S", help="seconds of a program (10)")
    judging.add_argument("--memory", type=int, default=512, metavar="MIB", help="of a program, in MiB (512)")
    judging.add_argument(
        "--workers", type=int, metavar="N", help="run so many programs at a time (one for each core)"
    )
    judging.add_argument(
        "--allow-network", action="store_true", help="run programs even where they cannot be kept off it"
    )
    parser.add_argument(
        "--save", metavar="FILE", help="write each completion and its judgement as JSON lines"
    )
    parser.add_argument("--force", action="store_true", help="replace what --save names")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.set_defaults(run=run, optional_last="model")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    for path in (arguments.model, arguments.benchmark, arguments.completions, arguments.tokenizer):
        if path is not None:
            require(path)
    if problem := _contradiction(arguments):
        print(printable_lines(f"error: {problem}"), file=sys.stderr)
        return USAGE
    if arguments.save is not None and (said := refusal(arguments.save, force=arguments.force)):
        print(said.replace("name another output", "name another file with --save"), file=sys.stderr)
        return USAGE

    from pv_runtime.evaluation.problems import read_problems
    from pv_runtime.evaluation.sandbox import Job, UnconfinedError, judge

    everything = read_problems(arguments.benchmark)
    problems = everything[: arguments.limit]
    limits = _limits(arguments)
    try:  # before a model is loaded
        judge(Job("", "f", "def check(candidate): pass"), limits, allow_network=arguments.allow_network)
    except UnconfinedError as error:
        print(
            printable_lines(f"error: {error}\n    allow it with --allow-network, at your own risk"),
            file=sys.stderr,
        )
        return DECLINED
    completions, asked = _completions(arguments, everything, problems)
    ks = _numbers(arguments.k)
    samples = len(completions) // len(problems)
    if max(ks) > samples:
        print(f"error: --k {max(ks)} needs as many completions of each problem, and there are {samples}",
              file=sys.stderr)  # fmt: skip
        return USAGE
    found = _judged(arguments, problems, completions, limits)
    _tell(arguments, problems, found, ks, asked, _baselines(arguments, problems, limits))
    return 0


def _contradiction(arguments: argparse.Namespace) -> str | None:
    if (arguments.model is None) == (arguments.completions is None):
        return "completions come from MODEL or out of --completions FILE: name one of the two"
    if arguments.completions is not None:
        for name in _OF_A_MODEL:
            if getattr(arguments, name) is not None:
                return f"--{name.replace('_', '-')} is of a model, and --completions are there already"
    for name, default in _OF_A_MODEL.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
    ranges = {
        "limit": (1, math.inf), "samples": (1, 1 << 20), "max_new_tokens": (1, 1 << 20), "seed": (0, 1 << 63),
        "threads": (1, MOST_THREADS), "memory": (64, 1 << 20), "workers": (1, _MOST_WORKERS),
        "temperature": (0, 1e6), "timeout": (0.1, 1e5),
    }  # fmt: skip
    for name, (low, high) in ranges.items():
        value = getattr(arguments, name)
        if value is not None and not low <= value <= high:
            return f"--{name.replace('_', '-')} cannot be {value}: it is at least {low} and at most {high}"
    if not _numbers(arguments.k):
        return f"--k is a list of numbers from 1 on, such as 1,10, and not {arguments.k!r}"
    if arguments.completions is None and max(_numbers(arguments.k)) > arguments.samples:
        return f"--k {arguments.k} needs as many completions of each problem: say --samples, too"
    if arguments.temperature == 0 and arguments.samples > 1:
        return "--samples would all be one: the most likely token is taken; say --temperature, too"
    if arguments.temperature == 0 and arguments.seed:
        return "--seed changes nothing where the most likely token is taken: say --temperature, too"
    if arguments.force and arguments.save is None:
        return "--force replaces what --save names: name a file"
    return None


def _numbers(text: str) -> list[int]:
    """Return the k in their order; none where it is no list of them."""
    words = [word.strip() for word in text.split(",")]
    plain = all(word.isascii() and word.isdigit() and len(word) < 8 and int(word) > 0 for word in words)
    return sorted({int(word) for word in words}) if plain else []


def _limits(arguments: argparse.Namespace) -> Limits:
    from pv_runtime.evaluation.sandbox import Limits

    return Limits(seconds=arguments.timeout, memory=arguments.memory << 20)


def _completions(
    arguments: argparse.Namespace, everything: Sequence[Problem], problems: Sequence[Problem]
) -> tuple[list[Completion], dict[str, Any]]:
    """Return the completions, and what the report says of where they come from."""
    from pv_runtime.evaluation.completions import read_completions

    asked: dict[str, Any] = {"benchmark": arguments.benchmark, "model": arguments.model}
    if arguments.completions is not None:
        known = [problem.task_id for problem in everything]
        asked["completions"] = arguments.completions
        return read_completions(arguments.completions, problems, known=known), asked
    writer = _writer(arguments)
    asked |= {name: getattr(arguments, name) for name in ("temperature", "seed", "max_new_tokens", "dtype")}
    written = []
    total = len(problems) * arguments.samples
    for completion in writer.write_all(problems, arguments.samples):
        written.append(completion)
        if sys.stderr.isatty():
            print(f"\r{len(written)} of {total} completions", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return written, asked


def _writer(arguments: argparse.Namespace) -> Any:
    import torch

    from pv_runtime.architecture import architecture_of
    from pv_runtime.evaluation.complete import Writer
    from pv_runtime.formats import open_checkpoint
    from pv_runtime.quickest import quickest
    from pv_runtime.stop_tokens import stop_tokens
    from pv_runtime.tokenizer import require_rows, tokenizer_in, tokenizer_of

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    folder = Path(arguments.model) if Path(arguments.model).is_dir() else None
    model = open_checkpoint(arguments.model)
    rows = architecture_of(model).vocab_size
    tokenizer = (
        require_rows(tokenizer_in(Path(arguments.tokenizer)), rows)
        if arguments.tokenizer is not None
        else tokenizer_of(model, folder, rows=rows)
    )
    decoder = quickest(model, dtype=getattr(torch, arguments.dtype), finite=True)
    return Writer(
        decoder, tokenizer, stop_tokens(model, tokenizer, folder), arguments.max_new_tokens,
        arguments.temperature, arguments.seed,
    )  # fmt: skip


def _judged(
    arguments: argparse.Namespace,
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    limits: Limits,
) -> list[Judged]:
    from pv_runtime.evaluation.judging import judged
    from pv_runtime.evaluation.sandbox import judge_all

    workers = arguments.workers or min(os.cpu_count() or 1, _MOST_WORKERS)
    allowed = arguments.allow_network
    return list(
        judged(
            problems,
            completions,
            lambda jobs: judge_all(jobs, limits, allow_network=allowed, workers=workers),
        )
    )


def _baselines(
    arguments: argparse.Namespace, problems: Sequence[Problem], limits: Limits
) -> dict[str, list[Judged]]:
    """Judge what takes no model; the canonical solutions come last, and are what must pass."""
    if not arguments.baselines:
        return {}
    from pv_runtime.evaluation.baselines import BASELINES, CANONICAL
    from pv_runtime.evaluation.completions import Completion

    answers: dict[str, Callable[[Problem], str]] = {
        **BASELINES,
        CANONICAL: lambda problem: problem.canonical_solution,
    }
    return {
        name: _judged(
            arguments, problems, [Completion(each.task_id, 0, answer(each)) for each in problems], limits
        )
        for name, answer in answers.items()
    }


def _tell(
    arguments: argparse.Namespace,
    problems: Sequence[Problem],
    found: Sequence[Judged],
    ks: Sequence[int],
    asked: dict[str, Any],
    baselines: dict[str, list[Judged]],
) -> None:
    from pv_runtime.evaluation.report import lines, report
    from pv_runtime.formats.writing import writing

    if arguments.save is not None:
        text = "".join(f"{json.dumps(each.line())}\n" for each in found)
        with writing(arguments.save) as stream:
            stream.write(text.encode())
    said = report(problems, found, ks, asked=asked, baselines=baselines)
    print(
        printable_json(json.dumps(said, indent=2, allow_nan=False))
        if arguments.json
        else "\n".join(lines(said))
    )
