"""``apr qa MODEL``: twelve gates, each passed, failed or declined, and how near it is to a reference."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_runtime.commands.output import require
from pv_runtime.commands.run import DTYPES, MOST_THREADS
from pv_runtime.errors import LoadError, ModelError, printable, printable_json, printable_lines

if TYPE_CHECKING:
    from pv_runtime.lockstep import Fidelity
    from pv_runtime.qa.gate import Result, Settings
    from pv_runtime.qa.subject import Subject

__all__ = ["register"]

_MAX_REPORT = 16 << 20
_TEXT_TOKENS = 2048
_PROMPT = "What is 2+2?"
_TIMED = ("throughput", "gpu_speedup")
"""Gates that take the time of something; performance_regression judges what they found."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "qa",
        help="put a model through twelve gates",
        description="Put a model through twelve gates. What cannot be carried out here is declined, and a "
        "declined gate that is required is never a pass: exit code 3. With --reference, it is said how far "
        "the model is from it, too.",
    )
    parser.add_argument("model", metavar="MODEL", help="a file, or a folder that holds exactly one model")
    parser.add_argument("--reference", metavar="R", help="the same model elsewhere, say the unquantised one")
    parser.add_argument("--gates", metavar="A,B", help="carry out only these; the others are declined")
    parser.add_argument("--allow-declined", action="store_true", help="end with 0 for 3 if some gate passed")
    golden = parser.add_argument_group("golden_output")
    golden.add_argument("--prompt", metavar="TEXT", help=f"the question ({_PROMPT})")
    golden.add_argument(
        "--expect",
        metavar="TEXT",
        action="append",
        help="what the answer contains (4); of several, one will do",
    )
    golden.add_argument("--plain", action="store_true", help="without the chat template")
    golden.add_argument("--new-tokens", type=int, metavar="N", help="its length, and of what is timed (32)")
    speed = parser.add_argument_group("throughput, gpu_speedup, performance_regression")
    speed.add_argument("--assert-tps", type=float, metavar="N", help="least decoded tokens a second")
    speed.add_argument("--assert-gpu-speedup", type=float, metavar="X", help="least ratio (2)")
    speed.add_argument("--iterations", type=int, metavar="N", help="of what is timed (5)")
    speed.add_argument("--previous-report", metavar="FILE", help="an earlier report as JSON, of this machine")
    speed.add_argument(
        "--regression-threshold", type=float, metavar="X",
        help="share that a ratio may fall by (0.10); a rate may by 2.5 X, and 0.25 at least",
    )  # fmt: skip
    distance = parser.add_argument_group("distance from the reference")
    distance.add_argument("--text", metavar="FILE", help="compare over this text, too")
    distance.add_argument("--text-tokens", type=int, metavar="N", help="as many tokens of it (2048)")
    distance.add_argument("--max-divergence", type=float, metavar="X", help="most mean divergence, in nats")
    distance.add_argument(
        "--min-same-top", type=float, metavar="X", help="least share of same most likely tokens"
    )
    how = parser.add_argument_group("how it is computed")
    how.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="of weights and computation (float32)"
    )
    how.add_argument("--threads", type=int, metavar="N", help="of the processor; all cores by default")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry out the gates; 1 if one failed, 3 if a required one was declined."""
    for path in (arguments.model, arguments.reference, arguments.text, arguments.previous_report):
        if path is not None:
            require(path)
    if problem := _contradiction(arguments):
        print(printable_lines(f"error: {problem}"), file=sys.stderr)
        return 2

    import torch

    from pv_runtime.qa.gate import Outcome, verdict
    from pv_runtime.qa.subject import Subject
    from pv_runtime.qa.suite import GATES, run_gates

    only = None if arguments.gates is None else [name.strip() for name in arguments.gates.split(",")]
    if unknown := [name for name in only or () if name not in GATES]:
        print(
            f"error: there is no gate {printable(unknown[0])!r}; there are {', '.join(GATES)}",
            file=sys.stderr,
        )
        return 2
    if only is not None and (idle := _idle(arguments, only)):
        print(printable_lines(f"error: {idle}"), file=sys.stderr)
        return 2
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    settings = _settings(arguments)
    dtype = getattr(torch, arguments.dtype)
    reference = None if arguments.reference is None else Subject(arguments.reference, dtype=dtype)
    subject = Subject(arguments.model, reference=reference, dtype=dtype)
    results = []
    for result in run_gates(subject, settings, only):
        results.append(result)
        if not arguments.json:
            print(_line(result), flush=True)
    distance, problems = None, []
    if arguments.text is not None:
        try:
            distance = _distance(arguments, subject)
            problems = _too_far(arguments, distance)
        except (LoadError, ModelError) as error:  # what the gates found is to be read all the same
            problems = [f"there is no distance: {error}"]
    outcome = Outcome.FAILED if problems else verdict(results)
    report = _report(arguments, results, outcome, distance, problems)
    print(
        printable_json(json.dumps(report, indent=2, allow_nan=False))
        if arguments.json
        else "\n".join(_summary(report))
    )
    return _exit(arguments, results, outcome)


def _contradiction(arguments: argparse.Namespace) -> str | None:
    positive = ("new_tokens", "iterations", "text_tokens", "threads", "assert_tps", "assert_gpu_speedup")
    for name in positive:
        value = getattr(arguments, name)
        if value is not None and not 0 < value < math.inf:
            return f"--{name.replace('_', '-')} cannot be {value}"
    if arguments.threads is not None and arguments.threads > MOST_THREADS:
        return f"--threads cannot be {arguments.threads}"
    if not all(arguments.expect or ["4"]):
        return "--expect cannot be empty: every answer contains that"
    share = arguments.regression_threshold
    if share is not None and not 0 <= share < 1:
        return f"--regression-threshold cannot be {share}"
    for name in ("max_divergence", "min_same_top"):
        value = getattr(arguments, name)
        if value is not None and not 0 <= value < math.inf:
            return f"--{name.replace('_', '-')} cannot be {value}"
        if value is not None and arguments.text is None:
            return f"--{name.replace('_', '-')} is a distance over a text: name one, --text FILE"
    if arguments.min_same_top is not None and arguments.min_same_top > 1:
        return f"--min-same-top is a share, and cannot be {arguments.min_same_top}"
    if arguments.text_tokens is not None and arguments.text is None:
        return "--text-tokens are those of a text: name one, --text FILE"
    if arguments.regression_threshold is not None and arguments.previous_report is None:
        return "--regression-threshold is held against an earlier report: name one, --previous-report FILE"
    if arguments.text is not None and arguments.reference is None:
        return "--text is compared over with a reference: name one, --reference R"
    return None


def _idle(arguments: argparse.Namespace, only: list[str]) -> str | None:
    """Say which option nothing would be held against, since its gate is none of `only`."""
    given = {
        "--assert-tps": (arguments.assert_tps is not None, ("throughput",)),
        "--assert-gpu-speedup": (arguments.assert_gpu_speedup is not None, ("gpu_speedup",)),
        "--previous-report": (arguments.previous_report is not None, ("performance_regression",)),
        "--expect": (arguments.expect is not None, ("golden_output",)),
        "--prompt": (arguments.prompt is not None, ("golden_output",)),
        "--plain": (arguments.plain, ("golden_output",)),
        "--new-tokens": (
            arguments.new_tokens is not None, ("golden_output", *_TIMED, "gpu_state_isolation")
        ),
        "--iterations": (arguments.iterations is not None, _TIMED),
        "--reference": (arguments.reference is not None and arguments.text is None, ("format_parity",)),
    }  # fmt: skip
    for option, (is_given, gates) in given.items():
        if is_given and not {*gates} & {*only}:
            return f"{option} is of {' and '.join(gates)}, and --gates leaves that out"
    return None


def _settings(arguments: argparse.Namespace) -> Settings:
    from pv_runtime.qa.gate import Settings

    return Settings(
        prompt=_PROMPT if arguments.prompt is None else arguments.prompt,
        expected=tuple(arguments.expect or ("4",)),
        chat=False if arguments.plain else None,
        new_tokens=32 if arguments.new_tokens is None else arguments.new_tokens,
        iterations=5 if arguments.iterations is None else arguments.iterations,
        least_rate=arguments.assert_tps,
        least_gpu_speedup=2.0 if arguments.assert_gpu_speedup is None else arguments.assert_gpu_speedup,
        previous=None if arguments.previous_report is None else _previous(Path(arguments.previous_report)),
        regression=0.10 if arguments.regression_threshold is None else arguments.regression_threshold,
    )


def _previous(file: Path) -> dict[str, float]:
    """Return what the gates of an earlier report measured, by name."""
    try:
        with file.open("rb") as stream:
            gates = json.loads(stream.read(_MAX_REPORT))["gates"]
        found = {gate["name"]: gate["value"] for gate in gates if gate["outcome"] != "declined"}
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise LoadError(f"is no report of apr qa: {error!r}", file) from error
    return {
        str(name): float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and 0 < value < math.inf
    }


def _distance(arguments: argparse.Namespace, subject: Subject) -> Fidelity:
    from pv_runtime.lockstep import fidelity

    assert subject.reference is not None  # noqa: S101 - `_contradiction` refused it
    text = Path(arguments.text).read_bytes().decode("utf-8", "surrogateescape")
    tokens = subject.tokenizer.encode(text)[: (arguments.text_tokens or _TEXT_TOKENS) + 1]
    return fidelity(subject.reference.decoder, subject.decoder, tokens)


def _too_far(arguments: argparse.Namespace, distance: Fidelity) -> list[str]:
    said = []
    most, least = arguments.max_divergence, arguments.min_same_top
    if most is not None and not distance.mean_divergence <= most:
        said.append(
            f"the mean divergence is {distance.mean_divergence:.4g}, and at most {most:g} was asked for"
        )
    if least is not None and not distance.same_top >= least:
        said.append(f"the same top is {distance.same_top:.4f}, and at least {least:g} was asked for")
    return said


def _report(
    arguments: argparse.Namespace,
    results: list[Result],
    outcome: str,
    distance: Fidelity | None,
    problems: list[str],
) -> dict[str, Any]:
    import platform

    import torch

    def named(wanted: str) -> list[str]:
        return [result.name for result in results if result.outcome == wanted]

    return {
        "schema_version": 1,
        "model": arguments.model,
        "reference": arguments.reference,
        "outcome": str(outcome),
        "gates": [
            {**dataclasses.asdict(result), "outcome": str(result.outcome), "required": result.required}
            for result in results
        ],
        "gates_registered": [result.name for result in results],
        "gates_executed": named("passed") + named("failed"),
        "gates_failed": named("failed"),
        "gates_declined": named("declined"),
        "distance": None if distance is None else _finite(dataclasses.asdict(distance)),
        "distance_problems": problems,
        "system": {
            "machine": platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "dtype": arguments.dtype,
        },
        "total_seconds": math.fsum(result.seconds for result in results),
    }


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity, which is what the perplexity of a model that is sure of nonsense becomes."""
    return {key: value if math.isfinite(value) else None for key, value in values.items()}


def _line(result: Result) -> str:
    required = " (required)" if result.required and result.outcome != "passed" else ""
    return f"{result.outcome:<9} {result.name:<23} {printable(result.message)}{required}"


def _summary(report: dict[str, Any]) -> list[str]:
    lines = []
    if distance := report["distance"]:
        distance = {key: math.inf if value is None else value for key, value in distance.items()}
        shares = {"mean": "mean", "median": "median", "p99": "99 %", "greatest": "greatest"}
        spread = ", ".join(f"{said} {distance[f'{key}_divergence']:.4g}" for key, said in shares.items())
        ours, theirs = (f"{distance[f'{side}_perplexity']:.3f}" for side in ("candidate", "reference"))
        lines.append(f"distance over {distance['tokens']} tokens")
        lines.append(f"  divergence   {spread} nats")
        lines.append(f"  same top     {distance['same_top']:.2%}")
        lines.append(f"  perplexity   {ours}, the reference's {theirs}")
    lines += [f"failed: {problem}" for problem in report["distance_problems"]]
    counts = {name: len(report[f"gates_{name}"]) for name in ("executed", "failed", "declined")}
    counts["passed"] = counts["executed"] - counts["failed"]
    said = ", ".join(f"{counts[name]} {name}" for name in ("passed", "failed", "declined"))
    return [*lines, f"{report['outcome']}: {said}"]


def _exit(arguments: argparse.Namespace, results: list[Result], outcome: str) -> int:
    passed = any(result.outcome == "passed" for result in results)
    code = {"passed": 0, "failed": 1, "declined": 3}[outcome]
    if code == 3 and arguments.allow_declined and passed:
        count = sum(result.outcome == "declined" for result in results)
        print(f"note: {count} gates were declined, and --allow-declined lets that pass", file=sys.stderr)
        return 0
    return code
