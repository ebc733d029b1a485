"""Run as a program: every kernel compiled and interpreted by several versions of Triton, each in a process.

    python -m tests.kernels.triton_versions [--whole] [VERSION ...]

Each version is installed, without what it depends on, into a folder of its own under ``build/``, and comes
first on the path of a child. One configuration of each program is compiled for sm_80 and sm_90 in every type,
with `--whole` all of them; a few cases of each kernel are interpreted. It ends with 1 where anything failed.
Builds that spill registers are counted and are no failure here: the contracts claim that of one version.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.6.0", "3.7.1", "3.8.0", "3.9.0")
CAPABILITIES = (80, 90)
CASES = ("odd", "weird", "one_row")
COUNTED = ("compiled", "not_compiled", "spilling", "interpreted", "not_interpreted")


def install(version: str) -> Path:
    """Return a folder with that Triton in it, and nothing else."""
    folder = ROOT / "build" / f"triton-{version}"
    if not (folder / f"triton-{version}.dist-info").is_dir():
        wanted = ["--quiet", "--no-deps", "--target", str(folder), f"triton=={version}"]
        subprocess.run([sys.executable, "-m", "pip", "install", *wanted], check=True)
    return folder


def child(version: str, folder: Path, *, whole: bool) -> dict[str, int]:
    """Run this file with `folder` first on the path, and return what it counted."""
    path = os.pathsep.join(map(str, (folder, ROOT, ROOT / "kernels")))
    argv = [sys.executable, "-m", "tests.kernels.triton_versions", "--child", version]
    ended = subprocess.run(
        [*argv, *(["--whole"] if whole else [])],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    counted: dict[str, int] = json.loads(ended.stdout)
    return counted


def count(version: str, *, whole: bool) -> dict[str, int]:
    """Compile and interpret in this process; what fails is told on stderr."""
    import triton  # it takes a second, which the process that starts the others need not wait for

    if triton.__version__ != version:
        raise SystemExit(f"triton {triton.__version__} came first on the path, not {version}")
    counted = dict.fromkeys(COUNTED, 0)
    for outcome, label in (*compiled(whole=whole), *interpreted()):
        counted[outcome] += 1
        if outcome in {"not_compiled", "not_interpreted"}:
            print(f"{version}: {label}", file=sys.stderr)
    return counted


def compiled(*, whole: bool) -> Iterator[tuple[str, str]]:
    """Compile every program; yield what became of each build, and its label."""
    from pv_kernels.compilation import compile_program
    from pv_kernels.registry import KERNELS

    builds = [
        (program, tuning, dtype, capability)
        for spec in KERNELS.values()
        for program in spec.programs
        for tuning in program.space[: None if whole else 1]
        for dtype in spec.compiled_in(program)
        for capability in CAPABILITIES
    ]
    with tempfile.TemporaryDirectory() as folder:
        for program, tuning, dtype, capability in builds:
            label = f"{program.name} {tuning.name} in {dtype} for sm_{capability}"
            try:
                made = compile_program(program, tuning, dtype, capability, Path(folder))
            except Exception as error:
                yield "not_compiled", f"{label}: {error!r}"
            else:
                yield "compiled", label
                if made.spilled_bytes:
                    yield "spilling", label


def interpreted() -> Iterator[tuple[str, str]]:
    """Interpret a few cases in every type; yield whether each is within its bound, and its label."""
    from pv_kernels.interpreter import interpreting
    from pv_kernels.registry import KERNELS
    from pv_kernels.specs.samples import used

    cases = [
        (spec, case, dtype)
        for spec in KERNELS.values()
        for case in spec.cases
        if case.name in CASES
        for dtype in spec.dtypes
    ]
    with interpreting():
        for spec, case, dtype in cases:
            label = f"{spec.name} {case.name} in {dtype}"
            arguments = case.arguments(dtype)
            expected = spec.expected(arguments)
            try:
                part = used(spec.run(arguments), expected, spec.tolerance(arguments, expected))
            except Exception as error:
                yield "not_interpreted", f"{label}: {error!r}"
            else:
                yield ("interpreted" if part <= 1 else "not_interpreted"), f"{label}: {part} of its bound"


def main() -> int:
    """Print a table, one version a line, and return 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("versions", nargs="*", default=VERSIONS, metavar="VERSION")
    parser.add_argument("--whole", action="store_true", help="compile every configuration")
    parser.add_argument("--child", metavar="VERSION", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(count(given.child, whole=given.whole)))
        return 0
    print(f"{'triton':8}", *(f"{name.replace('_', ' '):>16}" for name in COUNTED), flush=True)
    failed = 0
    for version in given.versions:
        counted = child(version, install(version), whole=given.whole)
        print(f"{version:8}", *(f"{counted[name]:16}" for name in COUNTED), flush=True)
        failed += counted["not_compiled"] + counted["not_interpreted"]
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
