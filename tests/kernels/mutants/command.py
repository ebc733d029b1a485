"""Whether the generated suite of the kernels could fail: ``make mutants``."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Sequence

from pv_kernels.registry import KERNELS

from tests.kernels.mutants.catalogue import Mutant, catalogue, chosen
from tests.kernels.mutants.explanations import explained, read, stale
from tests.kernels.mutants.runner import Outcome, run
from tests.kernels.mutants.table import share_caught, table

__all__ = ["LEAST", "control", "main", "problems"]

LEAST = 0.95
"""Part of the mutants that must be caught."""


def control(kernel: str) -> Mutant:
    """Return the kernel as it is, run as a mutant is: were it caught, so would be anything."""
    module = inspect.getmodule(KERNELS[kernel].programs[0].kernel.fn)
    assert module is not None
    return Mutant(kernel, module.__name__, "", "", 0, "", "unchanged", inspect.getsource(module))


def problems(
    outcomes: Sequence[Outcome], controls: Sequence[Outcome], mutants: Sequence[Mutant]
) -> list[str]:
    """Return why the run has failed; nothing if it has not."""
    found = [
        f"{one.mutant.kernel}: its own tests fail, so that its mutants say nothing: {one.test}"
        for one in controls
        if one.caught
    ]
    if share_caught(outcomes) < LEAST:
        found.append(f"fewer than {LEAST:.0%} of the mutants are caught")
    kernels = {mutant.kernel for mutant in mutants}
    explanations = [one for one in read() if one.kernel in kernels]
    silent = [o for o in outcomes if not o.caught and not explained(o.mutant, explanations)]
    if silent:
        found.append(f"{len(silent)} survivors are not explained in survivors.toml")
    return found + [
        f"survivors.toml explains {one.kernel}: {one.after}, but {why}"
        for one, why in stale(explanations, mutants, outcomes)
    ]


def _run_shown(mutants: Sequence[Mutant], jobs: int) -> list[Outcome]:
    outcomes = []
    for outcome in run(mutants, jobs):
        outcomes.append(outcome)
        if sys.stderr.isatty():
            print(f"\r{len(outcomes)} of {len(mutants)}", end="\r", file=sys.stderr, flush=True)
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run mutants and print what became of them; return 1 if too many survive, or one is not explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.kernels.mutants", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every mutant, not a choice of them")
    parser.add_argument("--kernel", action="append", choices=list(KERNELS), help="of this kernel only")
    parser.add_argument("--list", action="store_true", help="show the mutants and run none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that share them")
    options = parser.parse_args(arguments)
    kernels = options.kernel or list(KERNELS)
    every = catalogue(KERNELS.values(), kernels)
    taken = every if options.all else chosen(every)
    if options.list:
        for mutant in taken:
            print(f"{mutant.kernel}: {mutant.operator}\n  - {mutant.before}\n  + {mutant.after}")
        print(f"{len(taken)} of {len(every)} mutants")
        return 0
    outcomes = _run_shown(taken, options.jobs)
    # A survivor has passed every test; where there is one, the kernel as it is passes them as well.
    passed = {outcome.mutant.kernel for outcome in outcomes if not outcome.caught}
    controls = _run_shown([control(kernel) for kernel in kernels if kernel not in passed], options.jobs)
    for line in table(outcomes, read()):
        print(line)
    found = problems(outcomes, controls, every)
    for problem in found:
        print(f"\n{problem}")
    return int(bool(found))
