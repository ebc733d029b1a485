"""Our block formats beside their peer, `gguf.quants`, on the same bytes, and beside a copy in memory.

A copy of the dequantised values is the floor: whoever dequantises must at least write them. Runs are
paired; printed are medians in nanoseconds an element, and ratios. Below 1, ours is faster.
Quantising has a peer only where `gguf` has it in Python (Q8_0; the K-quants it can only read).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from gguf import GGMLQuantizationType, quants
from pv_runtime.quant import SCHEMES

ELEMENTS = 1 << 20
ROUNDS = 7


def medians(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Run every piece of `work` in turn, `ROUNDS` times; return median ns an element by name."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for function in work.values():
        function()
    for _ in range(ROUNDS):
        for name, function in work.items():
            started = time.perf_counter_ns()
            function()
            times[name].append((time.perf_counter_ns() - started) / ELEMENTS)
    return {name: statistics.median(taken) for name, taken in times.items()}


def row(name: str, direction: str, found: dict[str, float]) -> str:
    """Return one line of the table; a peer or a floor that is not there is a dash."""
    ours, peer, copy = found["ours"], found.get("peer"), found.get("copy")
    against_peer = f"{ours / peer:8.2f} x" if peer else f"{'-':>10}"
    against_copy = f"{ours / copy:8.1f} x" if copy else f"{'-':>10}"
    return (
        f"{name:<6} {direction:<11} {ours:9.2f} {peer or float('nan'):9.2f}   {against_peer}   {against_copy}"
    )


def main() -> None:
    """Time both directions of every scheme and print the table."""
    values = np.random.default_rng(0).standard_normal(ELEMENTS, dtype=np.float32) * np.float32(0.02)
    target = np.empty_like(values)
    print(f"{ELEMENTS} elements, float32, one process\n")
    print("scheme direction    ours ns   peer ns    against peer   against copy")
    for name, scheme in SCHEMES.items():
        kind = GGMLQuantizationType[name]
        raw = scheme.quantise(values)
        if not np.array_equal(scheme.dequantise(raw), quants.dequantize(raw, kind)):
            raise SystemExit(f"{name}: the two decoders disagree, so their speeds are not comparable")
        found = medians(
            {
                "ours": partial(scheme.dequantise, raw),
                "peer": partial(quants.dequantize, raw, kind),
                "copy": partial(np.copyto, target, values),
            }
        )
        print(row(name, "dequantise", found))
        work: dict[str, Callable[[], object]] = {"ours": partial(scheme.quantise, values)}
        try:
            quants.quantize(values, kind)
        except NotImplementedError:
            pass
        else:
            work["peer"] = partial(quants.quantize, values, kind)
        print(row(name, "quantise", medians(work)))


if __name__ == "__main__":
    main()
