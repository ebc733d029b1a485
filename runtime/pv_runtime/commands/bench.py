"""``apr bench MODEL``: how fast a model is here, if it computes what it should."""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import sys
from typing import TYPE_CHECKING, Any

from pv_runtime.commands.output import print_interpreted, require
from pv_runtime.commands.run import DECODERS, DEVICES, DTYPES, MOST_THREADS
from pv_runtime.errors import printable_json

if TYPE_CHECKING:
    from pv_runtime.bench import Speed

__all__ = ["register"]


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "bench",
        help="measure how fast a model is",
        description="Measure the prompt and the tokens after it apart, on random tokens. No speed is given "
        "of a model whose cached decoding differs from one pass over the same text.",
    )
    parser.add_argument("model", metavar="MODEL", help="a file, or a folder that holds exactly one model")
    parser.add_argument("--prompt-tokens", type=int, default=128, metavar="N", help="of the prompt (128)")
    parser.add_argument("--new-tokens", type=int, default=32, metavar="N", help="after it (32)")
    parser.add_argument("--iterations", type=int, default=5, metavar="N", help="that are measured (5)")
    parser.add_argument("--warmup", type=int, default=1, metavar="N", help="before those (1)")
    parser.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="of weights and computation (float32)"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="of the processor; all cores by default")
    parser.add_argument(
        "--backend", choices=DECODERS, default="reference", help="the reference, or our Triton kernels"
    )
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="where it is computed (cpu)")
    parser.add_argument(
        "--assert-tps",
        type=float,
        metavar="N",
        help="end with 1 if the median is below N new tokens a second",
    )
    parser.add_argument("--json", action="store_true", help="report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; 1 below ``--assert-tps``, and `ParityError` where no speed may be given."""
    require(arguments.model)
    least = {"prompt_tokens": 1, "new_tokens": 2, "iterations": 1, "warmup": 0, "threads": 1}
    for name, low in least.items():
        value = getattr(arguments, name)
        if value is not None and (value < low or (name == "threads" and value > MOST_THREADS)):
            print(f"error: --{name.replace('_', '-')} cannot be {value}", file=sys.stderr)
            return 2
    if arguments.assert_tps is not None and not 0 < arguments.assert_tps < float("inf"):
        print(f"error: --assert-tps cannot be {arguments.assert_tps}", file=sys.stderr)
        return 2

    import torch

    from pv_runtime.bench import measure
    from pv_runtime.formats import open_checkpoint
    from pv_runtime.quickest import quickest

    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("error: there is no GPU here that torch can use; leave --device out", file=sys.stderr)
        return 3
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    dtype = getattr(torch, arguments.dtype)
    model = open_checkpoint(arguments.model)
    if _interpreted(arguments):
        print_interpreted()
    decoder = quickest(model, dtype=dtype, device=arguments.device, backend=arguments.backend)
    speed = measure(
        decoder, prompt_tokens=arguments.prompt_tokens, new_tokens=arguments.new_tokens,
        iterations=arguments.iterations, warmup=arguments.warmup,
    )  # fmt: skip
    floor = arguments.assert_tps
    passed = floor is None or speed.decode_rate >= floor
    report = _report(arguments, speed, passed)
    print(
        printable_json(json.dumps(report, indent=2, allow_nan=False))
        if arguments.json
        else "\n".join(_lines(report))
    )
    if not passed:
        print(
            f"error: {speed.decode_rate:.1f} new tokens a second, and {floor:g} were asked for",
            file=sys.stderr,
        )
    return 0 if passed else 1


def _interpreted(arguments: argparse.Namespace) -> bool:
    return bool(arguments.backend == "triton" and arguments.device == "cpu")


def _report(arguments: argparse.Namespace, speed: Speed, passed: bool) -> dict[str, Any]:
    import torch

    cuda = arguments.device == "cuda"
    return {
        "schema_version": 1,
        "model": arguments.model,
        "dtype": arguments.dtype,
        "backend": arguments.backend,
        "interpreted": _interpreted(arguments),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "parity": {**dataclasses.asdict(speed.parity), "holds": speed.parity.holds},
        "prompt_tokens": speed.prompt_tokens,
        "new_tokens": speed.new_tokens,
        "prefill": {
            "seconds": list(speed.prefill_seconds),
            "median_seconds": statistics.median(speed.prefill_seconds),
            "median_tokens_per_second": speed.prefill_rate,
        },
        "decode": {
            "tokens_per_second": list(speed.decode_rates),
            "median_tokens_per_second": speed.decode_rate,
            "token_seconds": list(speed.token_seconds),
            "median_token_seconds": statistics.median(speed.token_seconds),
        },
        "bytes_per_token": speed.bytes_per_token,
        "bytes_per_second": speed.bandwidth,
        "copy_bytes_per_second": speed.copy_bandwidth,
        "share_of_copy": speed.share_of_copy,
        "floor": arguments.assert_tps,
        "passed": passed,
    }


def _lines(report: dict[str, Any]) -> list[str]:
    prefill, decode, parity = report["prefill"], report["decode"], report["parity"]
    rates = decode["tokens_per_second"]
    times = f"median of {len(rates)} times"
    where = f"{report['dtype']}, {report['device']}, {report['threads']} threads"
    moved = f"{report['bytes_per_token'] / 1e6:,.1f} MB a token, {report['bytes_per_second'] / 1e9:.2f} GB"
    copy = f"{report['share_of_copy']:.2f} of a copy's {report['copy_bytes_per_second'] / 1e9:.2f}"
    table = {
        "parity": f"over {parity['positions']} positions, relative distance {parity['distance']:.2g}",
        "prefill": f"{prefill['median_tokens_per_second']:,.1f} tokens a second, {times} "
        f"{report['prompt_tokens']} tokens ({where})",
        "decode": f"{decode['median_tokens_per_second']:,.1f} tokens a second, {times} "
        f"{report['new_tokens'] - 1} tokens, {min(rates):,.1f} to {max(rates):,.1f}",
        "moved": f"{moved} a second: {copy}",
    }
    return [f"{name:<8} {text}" for name, text in table.items()]
