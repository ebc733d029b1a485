from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="nothing is compiled without it")

PROGRAM = """
import numpy as np
from pv_runtime.compare_tensors import Pair, compare_pair
from pv_runtime.formats import TensorInfo
raw = np.ones(512, np.float32).view(np.uint8)
info = TensorInfo("t", "F32", (512,), 2048)
assert compare_pair(Pair(info, info, lambda: raw, lambda: raw)).equal == 512
"""


def run(cache: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "XDG_CACHE_HOME": str(cache), **more}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment
    )


def test_compilation_is_announced_once_and_kept(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path)
    assert first.stderr == "compiling for this machine, once (some seconds)\n"
    assert second.stderr == ""
    assert list((tmp_path / "pv" / "numba").rglob("*.nbi"))


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file")
    assert done.stderr.startswith("compiling for this machine")
