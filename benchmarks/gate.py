"""How long `pv gate` takes where a commit touches one contract of many, against `pv validate` of that file.

A project of 1,740 contracts is made in a git repository below a temporary folder and committed. One, whose
falsifiers have evidence and claim what it supports, is changed and staged. Runs are whole processes and
paired: each round runs every command once, in turn. Printed are medians and the ratio, with the target of 3,
and the ratio to the same file in a project of its own, which has no others to look through. A slow machine
does not fail anything here, so the exit code is 0 either way.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = 1740
ROUNDS = 11
TARGET = 3.0
ONE = "contracts/law-00007-v1.yaml"

CHECK = """
    from pv.check import Metric, Run, check

    @check(metrics=[Metric("x")])
    def one(run: Run, *, value: float) -> None:
        run.record("x", run.role("value", value))

    @one.counter_example("less", of="value")
    def less(value: float) -> float:
        return value - 1
"""
HEAD = """\
metadata:
  version: 1.0.0
  description: a law of numbers, number {number:05}
  references:
  - a book about numbers, chapter {number}
  kind: pattern
equations:
  law_{number:05}:
    formula: y = x * {number}
    domain: x in [0, 1]
    codomain: y in [0, {number}]
    invariants:
    - y is at least zero
falsification_tests:
"""
CLAUSE = """\
- id: FALSIFY-LAW-{number:05}-{index}
  rule: the law holds of case {index}, as the chapter says it
  prediction: the measured value is not below what the law says of it, whatever the input
  if_fails: the constant of case {index} was changed, or the wrong rows were read
  check: laws:one
  with: {{value: 1.0}}
  expect: [x >= 1]
  counter_examples: [less]
  needs: {{memory: 256 MiB, timeout: 60 s}}
  discharge_status: {status}
"""


def contract(number: int, status: str = "UNBOUND") -> str:
    """Return the text of one contract."""
    clauses = "".join(CLAUSE.format(number=number, index=index, status=status) for index in range(6))
    return HEAD.format(number=number) + clauses


def project(root: Path) -> None:
    """Write the project, commit it, and stage a change of one contract."""
    (root / "contracts").mkdir(parents=True)
    (root / "pv.toml").write_text('[project]\nsources = ["."]\n')
    (root / ".gitignore").write_text(".pv/\n__pycache__/\n")
    (root / "laws.py").write_text(textwrap.dedent(CHECK))
    for number in range(CONTRACTS):
        (root / "contracts" / f"law-{number:05}-v1.yaml").write_text(contract(number))
    subprocess.run(
        [sys.executable, "-m", "pv", "discharge", ONE],
        cwd=root,
        env=environment(None),
        check=True,
        capture_output=True,
    )
    (root / ONE).write_text(contract(7, "DISCHARGED"))
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"], ["gc", "-q"]):
        git(root, *words)
    text = (root / ONE).read_text()
    (root / ONE).write_text(text.replace("a law of numbers", "one law of numbers"))
    git(root, "add", ONE)


def git(root: Path, *words: str) -> None:
    """Run git in `root`."""
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *own, *words], cwd=root, check=True, capture_output=True)


def environment(bytecode: str | None) -> dict[str, str]:
    """Return variables under which this tree is found, compiled once, and no run remembered."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    kept |= {"PYTHONPATH": str(ROOT), "PV_NO_CACHE": "1"}
    return kept | ({"PYTHONPYCACHEPREFIX": bytecode} if bytecode else {})


def seconds(root: Path, words: list[str], variables: dict[str, str]) -> float:
    """Return the wall time of one command, in seconds."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words], cwd=root, env=variables, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return taken


def main() -> None:
    """Time the commands and print the table."""
    commands = {
        "python -c pass": ["-c", "pass"],
        "pv validate, that file": ["-m", "pv", "validate", ONE],
        "pv validate, it alone": ["-m", "pv", "validate", ONE],
        "pv gate": ["-m", "pv", "gate"],
        "pv validate contracts": ["-m", "pv", "validate", "contracts"],
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        project(root)
        alone = Path(folder) / "alone"
        for name in ("pv.toml", "laws.py", ONE, "evidence"):
            source = root / name
            (alone / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, alone / name)
            else:
                shutil.copy(source, alone / name)
        variables = environment(str(Path(folder) / "bytecode"))
        times: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(ROUNDS + 1):
            for name, words in commands.items():
                if name != "pv validate contracts" or number in {1, 2, 3}:
                    taken = seconds(alone if name.endswith("alone") else root, words, variables)
                    times[name] += [taken] if number else []  # the first round compiles, and fills the caches
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        print(f"{name:<26} {median * 1e3:9.1f} ms")
    ratio = medians["pv gate"] / medians["pv validate, that file"]
    judged = "met" if ratio <= TARGET else "missed"
    print(
        f"\none of {CONTRACTS:,} contracts staged, against `pv validate` of that file: {ratio:.2f}x;", end=" "
    )
    print(f"target {TARGET:.0f}: {judged}")
    by_itself = medians["pv gate"] / medians["pv validate, it alone"]
    print(f"against `pv validate` of that file in a project that has no other: {by_itself:.2f}x")


if __name__ == "__main__":
    main()
