"""How long `pv validate`, `graph`, `coverage` and `audit` take over many contracts, beside parsing them.

The peer parses the same files with PyYAML's C loader and does nothing else. Files are copies of contracts of
others in folders of their own, once under their own names, so that each has twins and every twin is a
finding, and once under names that differ. Nothing is kept between runs, but for those that are called known:
they were asked before, and nothing has changed since. Runs are whole processes and paired: each round runs
every command once, in turn. Printed are medians, by the clock and of the processors' time (which says more on
a busy machine), and ratios beside their targets. A slow machine does not fail anything
here, so the exit code is 0 either way.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
COPIES = 19
ROUNDS = 7
NOTHING = "python -c pass"
KNOWN = ", known"
A_SECOND = "a second"
"""What is held against the clock, since what it is compared with is another program on another machine."""
PARSER = """
import sys, pathlib, yaml
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    yaml.load(path.read_bytes(), yaml.CSafeLoader)
"""


class Taken(NamedTuple):
    """Seconds of one run."""

    wall: float
    processors: float


class Target(NamedTuple):
    """What a command is held against, and how many times as long it may take."""

    command: str
    peer: str
    times: float


def contracts() -> list[Path]:
    """Return the files to copy: those of others where they are, else this project's own."""
    return sorted((CORPUS if CORPUS.is_dir() else ROOT / "contracts").rglob("*.yaml"))


def copy(files: list[Path], folder: Path, *, named_apart: bool, times: int = COPIES) -> str:
    """Copy `files` into `times` folders below `folder`, and return its name."""
    for number in range(times):
        for file in files:
            name = f"c{number:02}-{file.name}" if named_apart else file.name
            target = folder / f"c{number:02}" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return str(folder)


def commands(files: list[Path], top: Path) -> tuple[dict[str, list[str]], list[Target]]:
    """Return what is timed, name → arguments of the interpreter, and the targets."""
    twins, apart = f"{COPIES * len(files):,} with twins", f"{COPIES * len(files):,}"
    few, one = str(len(files)), "one file"
    folders = {
        twins: copy(files, top / "twins", named_apart=False),
        apart: copy(files, top / "apart", named_apart=True),
        few: copy(files, top / "few", named_apart=False, times=1),
        one: copy(
            [min(files, key=lambda file: file.stat().st_size)], top / "one", named_apart=False, times=1
        ),
    }
    made = {NOTHING: ["-c", "pass"]}
    made |= {f"parse {name}": ["-c", PARSER, folder] for name, folder in folders.items() if name != one}
    made |= {f"pv validate, {name}": ["-m", "pv", "validate", folder] for name, folder in folders.items()}
    targets = [
        Target(f"pv validate, {twins}", f"parse {twins}", 1.0),
        Target(f"pv validate, {apart}", f"parse {apart}", 1.0),
        Target(f"pv validate, {few}", f"parse {few}", 2.5),
        Target(f"pv validate, {one}", NOTHING, 15.0),
    ]
    for command in ("graph", "coverage", "audit"):
        if (ROOT / f"pv/commands/{command}.py").is_file():
            made[f"pv {command}, {apart}"] = ["-m", "pv", command, folders[apart]]
            targets.append(Target(f"pv {command}, {apart}", f"pv validate, {apart}", 2.0))
    for name, peer, times in ((twins, A_SECOND, 0.3), (apart, A_SECOND, 0.3), (one, NOTHING, 6.0)):
        made[f"pv validate, {name}{KNOWN}"] = made[f"pv validate, {name}"]
        targets.append(Target(f"pv validate, {name}{KNOWN}", peer, times))
    return made, targets


def run(arguments: list[str], variables: dict[str, str], folder: Path) -> Taken:
    """Run the interpreter once and return what that took, with what the processes that it starts take.

    It runs in `folder`, which is no project: `graph` looks up in that around it what contracts depend on.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        env=variables,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in {0, 1}:  # what is wrong with contracts of others is no fault of ours
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}")
    return Taken(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Time the commands and print the tables."""
    taken: dict[str, list[Taken]] = {}
    with tempfile.TemporaryDirectory() as folder:
        made, targets = commands(contracts(), Path(folder))
        unset = {"PYTHONDONTWRITEBYTECODE", "CI", "PV_NO_CACHE"}
        kept = {name: value for name, value in os.environ.items() if name not in unset}
        # A place of its own for whatever is kept between runs, so that nothing is, unless it is to be known.
        variables = kept | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
        outside = Path(folder, "outside")
        outside.mkdir()
        for number in range(ROUNDS + 1):
            for name, arguments in made.items():
                own = f"{folder}/cache" if name.endswith(KNOWN) else f"{folder}/cache-{number}-{name}"
                measured = run(arguments, variables | {"HOME": folder, "XDG_CACHE_HOME": own}, outside)
                if number:  # the first round compiles, and fills the system's cache of files
                    taken.setdefault(name, []).append(measured)
    wall = {name: statistics.median(one.wall for one in runs) for name, runs in taken.items()}
    processors = {name: statistics.median(one.processors for one in runs) for name, runs in taken.items()}
    wall[A_SECOND] = processors[A_SECOND] = 1.0
    for name in taken:
        print(f"{name:<32} {wall[name] * 1e3:9.1f} ms   {processors[name] * 1e3:9.1f} ms of processors")
    print()
    for command, peer, times in targets:
        ratio, busy = wall[command] / wall[peer], processors[command] / processors[peer]
        judged = "met" if ratio <= times else "missed"
        print(f"{command:<32} {ratio:6.2f} x {peer} ({busy:.2f} of processors); target {times}: {judged}")


if __name__ == "__main__":
    main()
