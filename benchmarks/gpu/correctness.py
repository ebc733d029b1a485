"""Every kernel on everything that its specification has: on a GPU, or by the interpreter where there is none.

Each kernel has a process of its own, and several run at once: a GPU that one of them leaves in a bad state
is not what the next one is judged on. The processes also compile what is timed later.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from pv_kernels.errors import KernelError
from pv_kernels.placement import backend, on_device
from pv_kernels.registry import KERNELS
from pv_kernels.spec import Case, KernelSpec
from pv_kernels.specs.samples import used
from torch import Tensor

__all__ = ["Examined", "examine", "examine_all"]

_PATIENCE = 30.0
"""Seconds beyond its time after which a process is ended: it has to start, and may be amid a sample."""


@dataclasses.dataclass(frozen=True)
class Examined:
    """One kernel: how many samples of how many were run, the worst of them, and what was wrong."""

    kernel: str
    done: int
    samples: int
    worst: float
    worst_sample: str
    seconds: float
    faults: tuple[str, ...] = ()

    @property
    def cut(self) -> bool:
        """Whether time ran out before all samples were run."""
        return self.done < self.samples and not self.faults


def examine(
    spec: KernelSpec, device: str, seconds: float, clock: Callable[[], float] = time.monotonic
) -> Examined:
    """Run `spec` on its samples and refusals until `seconds` are over."""
    begun = clock()
    samples = _samples(spec)
    call = on_device(spec.call, device)
    worst, worst_sample, done, faults = 0.0, "", 0, []
    with backend(device):
        for case, dtype in samples:
            if clock() - begun > seconds:
                break
            name = f"{case.name} in {str(dtype).removeprefix('torch.')}"
            arguments = case.arguments(dtype)
            expected = spec.expected(arguments)
            results = call(**arguments)
            ours = (results,) if isinstance(results, Tensor) else tuple(results)
            part = used(ours, expected, spec.tolerance(arguments, expected))
            done += 1
            if part > worst:
                worst, worst_sample = part, name
            if part > 1:
                faults.append(f"{name}: the error is {part:.3g} of what rounding explains")
        for error in spec.errors:
            try:
                call(**error.arguments())
            except KernelError as refusal:
                if type(refusal) is not error.error or error.words not in str(refusal):
                    faults.append(f"{error.name}: refused as {type(refusal).__name__}: {refusal}")
            else:
                faults.append(f"{error.name}: not refused")
    return Examined(spec.name, done, len(samples), worst, worst_sample, clock() - begun, tuple(faults))


def _samples(spec: KernelSpec) -> list[tuple[Case, torch.dtype]]:
    """Return every sample in every type, so ordered that the first third has every sample in some type."""
    cases, types = (*spec.cases, *spec.special), spec.dtypes
    turns = range(len(types))
    return [(case, types[(turn + at) % len(types)]) for turn in turns for at, case in enumerate(cases)]


def examine_all(
    kernels: Sequence[str], device: str, seconds: float, jobs: int, tell: Callable[[Examined], None]
) -> list[Examined]:
    """Examine `kernels`, `jobs` at a time, each in a process; `tell` hears of each as it ends.

    What time is left when one begins is shared by those that wait: none has it all.
    """
    end = time.monotonic() + seconds
    waiting = itertools.count(len(kernels), -1)

    def one(kernel: str) -> Examined:
        left = max(end - time.monotonic(), 0.0) * min(jobs / next(waiting), 1)
        found = _in_a_process(kernel, device, left) if left else _cut(kernel)
        tell(found)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, kernels))


def _cut(kernel: str) -> Examined:
    return Examined(kernel, 0, len(_samples(KERNELS[kernel])), 0.0, "", 0.0)


def _in_a_process(kernel: str, device: str, seconds: float) -> Examined:
    begun = time.monotonic()
    words = [sys.executable, "-m", "benchmarks.gpu.correctness", kernel, device, str(seconds)]
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=seconds + _PATIENCE, check=False, env=environment
        )
        found = json.loads(done.stdout.splitlines()[-1])
        return Examined(**{**found, "faults": tuple(found["faults"])})
    except subprocess.TimeoutExpired:
        why = f"ended after {seconds + _PATIENCE:.0f} s in which it did not"
    except (IndexError, ValueError, TypeError):
        said = done.stderr.strip().splitlines()
        why = f"its process ended with {done.returncode}: {said[-1] if said else 'and said nothing'}"
    return Examined(kernel, 0, 0, 0.0, "", time.monotonic() - begun, (why,))


def main() -> None:
    """Examine one kernel and print what was found as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernel", choices=sorted(KERNELS))
    parser.add_argument("device")
    parser.add_argument("seconds", type=float)
    given = parser.parse_args()
    print(json.dumps(dataclasses.asdict(examine(KERNELS[given.kernel], given.device, given.seconds))))


if __name__ == "__main__":
    main()
