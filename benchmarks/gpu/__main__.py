"""``make bench-gpu``: are the kernels right, how fast are they, and the evidence of both, in eight minutes.

In this order: what the figures are of; every kernel on every sample; the speed of every kernel; the whole
decode step; the other falsifiers that need a GPU. Speeds are measured by falsifiers, as everything is that is
claimed; the table is what their evidence says. Where there is no GPU, kernels run by the interpreter, and
nothing is timed.

It ends with 0; with 1 where something was computed wrongly; on a GPU, with 2 where all is right and a claim
failed, of speed for one, and with 3 where time was over before all was judged.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pv_kernels.registry import KERNELS

from benchmarks.gpu.budget import SECONDS, SECONDS_WITHOUT_GPU, Budget
from benchmarks.gpu.correctness import Examined, examine_all
from benchmarks.gpu.environment import environment
from benchmarks.gpu.falsifiers import Ended, discharge_all, on_a_gpu
from benchmarks.gpu.table import compiled_ratios, lined_up, rows_of, table
from pv.config import load_config

WRITTEN = Path("build/bench-gpu.json")
NO_GPU = "There is no GPU here: kernels ran by the interpreter, and no time was measured."


def main(words: Sequence[str] | None = None) -> int:
    """Run all parts, print the table, write the same as JSON, and return how it ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, help="for all parts (default 480; without a GPU 120)")
    parser.add_argument("--kernel", action="append", choices=sorted(KERNELS), help="examine only these")
    parser.add_argument("--json", type=Path, default=WRITTEN, help="where to write (default %(default)s)")
    given = parser.parse_args(words)
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        budget = Budget(given.seconds or SECONDS_WITHOUT_GPU, {"correctness": 1})
    else:
        budget = Budget(given.seconds or SECONDS)
    said = environment(device)
    _print("Environment", [f"{name:18} {value}" for name, value in said.items()])
    examined = _correctness(given.kernel or list(KERNELS), device, budget)
    ends = [] if device == "cpu" else _falsifiers(budget)
    _report(examined, ends)
    if device == "cpu":
        print(f"\n{NO_GPU}")
    _write(given.json, said, examined, ends)
    return ended(examined, ends)


def ended(examined: Sequence[Examined], ends: Sequence[Ended]) -> int:
    """Return how the command ends: 1 before 2 before 3 before 0."""
    outcomes = {end.outcome for end in ends}
    wrong = any(not row.correct for row in rows_of(ends))
    values = {end.outcome for end in ends if end.part == "values"}
    if any(one.faults for one in examined) or wrong or values & {"Fail", "Vacuous", "Error"}:
        return 1
    if outcomes & {"Fail", "Vacuous", "Error"}:
        return 2
    return 3 if "Cut" in outcomes or (ends and any(one.cut for one in examined)) else 0


def _correctness(kernels: Sequence[str], device: str, budget: Budget) -> list[Examined]:
    # The interpreter is all the processor has to do; on a GPU, compiling is, and each process holds memory.
    jobs = min(len(os.sched_getaffinity(0)), 8)
    seconds = budget.begin("correctness")

    def tell(found: Examined) -> None:
        print(f"  {found.kernel}: {found.done} samples in {found.seconds:.0f} s", file=sys.stderr, flush=True)

    return examine_all(kernels, device, seconds, jobs, tell)


def _falsifiers(budget: Budget) -> list[Ended]:
    named, ends = on_a_gpu(load_config()), []

    def tell(end: Ended) -> None:
        print(f"  {end.outcome:8} {end.address}  {end.why}", file=sys.stderr, flush=True)

    for part in ("speed", "decode step", "values"):
        budget.begin(part)
        mine = [one for one in named if one.part == part]
        # A time is of this run; a value that is on record for this code need not be computed again.
        ends += discharge_all(mine, budget.left, tell, again=part != "values")
    return ends


def _report(examined: Sequence[Examined], ends: Sequence[Ended]) -> None:
    head = ["kernel", "samples", "of", "error/bound", "at"]
    lines = [
        [one.kernel, str(one.done), str(one.samples), f"{one.worst:.3f}", one.worst_sample or "-"]
        for one in examined
    ]
    _print("Values: the greatest error, over the bound that rounding explains", lined_up([head, *lines], 1))
    _print("Wrong", [f"{one.kernel}: {fault}" for one in examined for fault in one.faults])
    if rows := list(rows_of(ends)):
        _print("Speed: x is the time of a peer over ours", table(rows))
    if ratios := compiled_ratios(ends):
        _print("torch.compile over ours", [f"{ratio:8.2f}  {what}" for what, ratio in ratios.items()])
    if ends:
        counts = Counter(end.outcome for end in ends)
        _print("Falsifiers", [f"{count:4} {outcome}" for outcome, count in sorted(counts.items())])
    bad = [f"{end.outcome:8} {end.address}  {end.rule}: {end.why}" for end in ends if end.outcome != "Pass"]
    _print("Not passed", bad)
    _print(
        "Cut short, for want of time",
        [f"{one.kernel}: {one.done} of {one.samples} samples" for one in examined if one.cut],
    )


def _print(title: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"\n{title}", *(f"  {line}" for line in lines), sep="\n", flush=True)


def _write(path: Path, said: dict[str, str], examined: Sequence[Examined], ends: Sequence[Ended]) -> None:
    whole: dict[str, Any] = {
        "environment": said,
        "values": [dataclasses.asdict(one) for one in examined],
        "speed": [dataclasses.asdict(row) for row in rows_of(ends)],
        "compiled": compiled_ratios(ends),
        "falsifiers": [
            {"address": end.address, "part": end.part, "outcome": end.outcome, "why": end.why} for end in ends
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
