"""``pv roofline``: the ceiling that a claim of speed may not exceed, and which claims do."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from typing import Any

from pv.common_options import add_format_argument
from pv.config import load_config
from pv.errors import SelectionError
from pv.exits import Exit
from pv.printable import printable_json

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv roofline``."""
    positive, whole = _number(0, exclusive=True), _whole
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="judge the claims of these; default: of every contract"
    )
    parser.add_argument(
        "--hardware", metavar="NAME|FILE", help="a machine of the table, or one's own in .toml or .yaml"
    )
    model = parser.add_argument_group(
        "a model", "alone: its ceilings; with PATH: for subjects that are not here"
    )
    model.add_argument("--params", type=positive, metavar="P", help="parameters that a token goes through")
    model.add_argument(
        "--bits", type=positive, metavar="B", help="bits of each, scales included (default: 16)"
    )
    model.add_argument(
        "--layers", type=whole, default=0, metavar="N", help="layers that keep keys and values"
    )
    model.add_argument("--kv-heads", type=whole, default=0, metavar="N", help="heads that have keys")
    model.add_argument("--head-dim", type=whole, default=0, metavar="N", help="values of a key")
    model.add_argument("--context", type=whole, default=0, metavar="N", help="positions in the cache")
    model.add_argument("--kv-bits", type=positive, default=16.0, metavar="B", help="default: 16")
    model.add_argument("--batch", type=whole, metavar="N", help="sequences that are decoded at once")
    kernel = parser.add_argument_group("a kernel")
    kernel.add_argument("--flops", type=_number(0), metavar="N", help="operations of one run")
    kernel.add_argument("--bytes", type=_number(0), metavar="N", help="bytes that it moves at least")
    parser.add_argument(
        "--dtype", metavar="TYPE", help="whose peak counts, such as bf16; default: the highest"
    )
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Say what the ceilings are, or judge claims by them.

    Exit 1 where a rule demands, or a record measured, more than is possible; 3 where claims were found and
    none could be judged.

    Raises
    ------
    SelectionError
        Nothing is asked for that there is, or options that have no use together.
    ConfigError
        The file of ``--hardware`` describes none.
    EvidenceError
        A record cannot be read.
    """
    _refuse_useless(arguments)
    if arguments.flops is not None:
        return _print_ceilings(arguments, _kernel(arguments))
    if arguments.params is not None and not arguments.paths:
        return _print_ceilings(arguments, _model(arguments))
    return _claims(arguments)


def _refuse_useless(arguments: argparse.Namespace) -> None:
    kernel = arguments.flops is not None or arguments.bytes is not None
    if kernel and (arguments.flops is None or arguments.bytes is None):
        raise SelectionError("a kernel has --flops and --bytes", remedy="give both")
    if kernel and (arguments.params is not None or arguments.paths):
        raise SelectionError("--flops and --bytes are of a kernel", remedy="leave out --params and PATH")
    shape = (arguments.layers, arguments.kv_heads, arguments.head_dim)
    if any(shape) and not all(shape):
        raise SelectionError(
            "keys and values need --layers, --kv-heads and --head-dim", remedy="give all three"
        )
    alone = arguments.params is not None and not arguments.paths
    judging = not (kernel or alone)
    needs = [
        ("--bits", arguments.bits, arguments.params is not None, "--params"),
        ("--layers", any(shape), arguments.params is not None, "--params"),
        ("--context", arguments.context, any(shape) or judging, "--layers, --kv-heads and --head-dim"),
        ("--batch", arguments.batch, alone, "--params, without PATH: a contract says its own"),
        ("--dtype", arguments.dtype, kernel or alone, "--params or --flops: a contract says its own"),
    ]
    for option, given, used, what in needs:
        if given and not used:
            raise SelectionError(f"{option} has no use here", remedy=f"it goes with {what}")
    if not judging and arguments.hardware is None:
        from pv.roofline.hardware import TABLE

        raise SelectionError(
            "on which machine? --hardware", remedy=f"one of {', '.join(TABLE)}, or a file of one's own"
        )


def _kernel(arguments: argparse.Namespace) -> dict[str, Any]:
    from pv.roofline.arithmetic import attainable, least_seconds

    machine, peak, told = _machine(arguments)
    operations, moved = arguments.flops, arguments.bytes
    rate = attainable(operations, moved, peak=peak, bandwidth=machine.bandwidth)
    told["attainable"] = {
        "value": rate,
        "unit": "FLOP/s",
        "formula": "min(peak, intensity * bandwidth)",
    }
    seconds = least_seconds(operations, moved, peak=peak, bandwidth=machine.bandwidth)
    told["time"] = {"value": seconds, "unit": "s", "formula": "max(operations / peak, bytes / bandwidth)"}
    told["bound by"] = "arithmetic" if rate == peak else "memory"
    return told


def _model(arguments: argparse.Namespace) -> dict[str, Any]:
    from pv.roofline.arithmetic import decode_rate, prefill_rate
    from pv.roofline.shapes import Shape

    machine, peak, told = _machine(arguments)
    shape: Shape = _shape(arguments)
    cache = shape.cache(arguments.context, arguments.kv_bits)
    batch = arguments.batch or 1
    rate = decode_rate(
        weights=shape.weights,
        cache=cache,
        bandwidth=machine.bandwidth,
        batch=batch,
        parameters=shape.parameters,
        peak=peak,
    )
    told["weights"] = {"value": shape.weights, "unit": "B", "formula": "params * bits / 8"}
    if cache:
        formula = "2 * layers * kv heads * head dim * context * bits / 8, a sequence"
        told["keys, values"] = {"value": cache, "unit": "B", "formula": formula}
    told["decode"] = {
        "value": rate,
        "unit": "tokens/s",
        "formula": "batch * bandwidth / (weights + batch * keys and values), or peak / (2 * params)",
    }
    told["prefill"] = {
        "value": prefill_rate(parameters=shape.parameters, peak=peak),
        "unit": "tokens/s",
        "formula": "peak / (2 * params)",
    }
    if shape.weights + batch * cache <= machine.cache:
        told["note"] = "all of it fits the cache of the machine, where memory is no ceiling"
    return told


def _machine(arguments: argparse.Namespace) -> tuple[Any, float, dict[str, Any]]:
    from pv.roofline.hardware import find_hardware

    machine = find_hardware(arguments.hardware)
    if arguments.dtype is not None and arguments.dtype not in machine.peaks:
        raise SelectionError(
            f"{machine.name} has no peak of {arguments.dtype}", remedy=f"one of {', '.join(machine.peaks)}"
        )
    peak = machine.peak(arguments.dtype)
    dtype = arguments.dtype or max(machine.peaks, key=lambda name: machine.peaks[name])
    told: dict[str, Any] = {
        "hardware": machine.name,
        "bandwidth": {"value": machine.bandwidth, "unit": "B/s", "formula": "of its memory"},
        "peak": {"value": peak, "unit": "FLOP/s", "formula": f"in {dtype}, dense"},
        "source": machine.source,
    }
    return machine, peak, told


def _shape(arguments: argparse.Namespace) -> Any:
    from pv.roofline.shapes import Shape

    return Shape.stated(
        arguments.params,
        arguments.bits or 16.0,
        layers=arguments.layers,
        kv_heads=arguments.kv_heads,
        head_dim=arguments.head_dim,
    )


def _print_ceilings(arguments: argparse.Namespace, told: dict[str, Any]) -> Exit:
    from pv.reports.roofline import ceilings_text

    if arguments.format == "json":
        print(printable_json(json.dumps(told, indent=1)))
    else:
        print(*ceilings_text(told), sep="\n")
    return Exit.ACCEPTED


def _claims(arguments: argparse.Namespace) -> Exit:
    from pv.reports.roofline import as_json, text
    from pv.roofline.hardware import find_hardware
    from pv.roofline.judgement import Assumed, judge_all
    from pv.selection import load_paths

    config = load_config(required=False)
    contracts = load_paths(arguments.paths, config)
    assumed = Assumed(
        find_hardware(arguments.hardware) if arguments.hardware else None,
        _shape(arguments) if arguments.params is not None else None,
        arguments.context,
        arguments.kv_bits,
    )
    judged = list(judge_all(contracts, config, assumed))
    if not judged:
        raise SelectionError(
            f"no claim of speed in {len(contracts)} contract(s)",
            remedy="a claim is a rule, or a measurement, of a metric with a unit such as tokens/s or GB/s",
        )
    if arguments.format == "json":
        print(printable_json(json.dumps(as_json(judged, config), indent=1)))
    else:
        print(*text(judged, config), sep="\n")
    sys.stdout.flush()
    outcomes = {one.outcome for one in judged}
    if outcomes & {"unattainable", "impossible"}:
        return Exit.REJECTED
    return Exit.DECLINED if outcomes == {"not judged"} else Exit.ACCEPTED


def _number(low: float, *, exclusive: bool = False) -> Callable[[str], float]:
    def number(words: str) -> float:
        try:
            value = float(words)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value < 1e30 and (value > low if exclusive else value >= low)):
            raise argparse.ArgumentTypeError(
                f"{words!r} is no number {'above' if exclusive else 'from'} {low:g}"
            )
        return value

    return number


def _whole(words: str) -> int:
    value = _number(0)(words)
    if value != int(value) or value > 1 << 40:
        raise argparse.ArgumentTypeError(f"{words!r} is no whole number")
    return int(value)
