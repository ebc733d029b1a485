"""A load or store outside of a tensor ends a process: it is one of its own that tries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from pv_kernels.registry import KERNELS

ROOT = Path(__file__).resolve().parents[2]


def child(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "tests.kernels.out_of_bounds", *arguments]
    path = os.pathsep.join(map(str, (ROOT, ROOT / "kernels")))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_nothing_is_touched_before_or_behind_a_tensor() -> None:
    ended = child()
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) == 2 * sum(len(spec.dtypes) for spec in KERNELS.values())


def test_a_kernel_without_its_mask_is_noticed() -> None:
    ended = child("planted")
    assert ended.returncode == -signal.SIGSEGV
    assert ended.stdout == ""
