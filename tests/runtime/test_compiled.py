from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pv_runtime
import pytest

pytest.importorskip("numba", reason="nothing is compiled without it")

PROGRAM = """
import numpy
from pv_runtime.half_precision import widen_half_portable
for number in (numpy.uint16(0x3C00), numpy.uint32(0x3C00)):  # compiled twice: once for each type
    assert widen_half_portable(number) == widen_half_portable.py_func(number)
"""

DOUBLES = """
from pv_runtime.compiled import compiled
assert compiled()(lambda number: number + number)(21.0) == 42.0
"""


def run(cache: Path, program: str = PROGRAM, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "XDG_CACHE_HOME": str(cache), **more}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )


def test_compilation_is_announced_once_and_kept(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path)
    assert first.stderr == "compiling for this machine, once (some seconds)\n"
    assert second.stderr == ""
    assert list((tmp_path / "pv" / "numba").rglob("*.nbi"))


def test_what_is_kept_belongs_to_its_sources(tmp_path: Path) -> None:
    """An edit of a function that others are compiled with makes them be compiled again."""
    package = tmp_path / "edited" / "pv_runtime"
    shutil.copytree(Path(pv_runtime.__file__).parent, package)
    path = {"PYTHONPATH": os.pathsep.join([str(package.parent), *sys.path])}
    program = "import numpy, pv_runtime.half_precision as half; half.widen_half_portable(numpy.uint16(1))"
    assert run(tmp_path, program, **path).stderr
    assert not run(tmp_path, program, **path).stderr
    source = package / "lanes.py"
    source.write_text(source.read_text() + "# edited\n")
    assert run(tmp_path, program, **path).stderr


def test_the_sources_of_what_is_compiled_are_known() -> None:
    folder = Path(pv_runtime.__file__).parent
    texts = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.py")}
    compiling = {name for name, text in texts.items() if "@compiled(" in text or "intrinsic(" in text}
    compiled = importlib.import_module("pv_runtime.compiled")
    assert compiling | {"compiled.py"} == set(compiled._SOURCES)
    # Nothing is compiled but by the one decorator, which announces and keeps it.
    assert {name for name, text in texts.items() if re.search(r"\bn?jit\(|@n?jit\b", text)} == {"compiled.py"}


def test_to_compile_reads_no_module_that_is_not_imported(tmp_path: Path) -> None:
    """In a check it would be refused, since no digest covers it."""
    program = (
        "from pathlib import Path\nfrom pv.reads import Reads\nfrom pv_runtime import compiled\n"
        "reads = Reads(str(Path(compiled.__file__).resolve().parent))\ncompiled._prepare()\n"
        "print(*reads.files())"
    )
    assert run(tmp_path, program).stdout.split() == []


def test_vectors_are_as_wide_as_the_cpu_has_them() -> None:
    import numba
    from llvmlite import binding

    importlib.import_module("pv_runtime.compare_kernels")
    wide = binding.get_host_cpu_features().get("avx512f", False) and not os.environ.get("NUMBA_CPU_NAME")
    assert str(numba.config.CPU_FEATURES).endswith("-prefer-256-bit") == wide


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file", DOUBLES)
    assert done.stderr.startswith("compiling for this machine")
