"""What the pages of a project cost: thousands of falsifiers with evidence, derived and rendered, in one run.

The falsifiers are those of `benchmarks/sweep.py`. One is really discharged; the others have its records,
each under its own clause and sealed anew. Printed for each count: `pv status --json`, which derives as much
and renders nothing; `pv report --html` as a whole; of that what the pages took, and the processor's time in
it; and, as the floor, as many files of the same bytes written by a loop that does nothing else. The target of
5 s is for the pages of 10,000; nothing fails where it is missed.

    python -m benchmarks.site [--memory] [COUNT ...]      by default 1000 and 10000

With `--memory` the pages are written to a file system in memory: other programs' writes do not count then.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.sweep import environment, project
from pv.config import load_config
from pv.contract import load_contract
from pv.evidence import read_record, records_of, statement
from pv.freshness import current_inputs

TARGET_SECONDS = 5.0
MOST = 10_000
TIMED = """
import json, os, resource, sys, time
import pv.reports.site.write as write
from pv.cli import main

def used():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)

whole = write.write_site
def timed(folder, source):
    began, processor = time.perf_counter(), used()
    pages = whole(folder, source)
    print(json.dumps([time.perf_counter() - began, used() - processor]))
    return pages
write.write_site = timed
sys.exit(main(["report", "--html", sys.argv[1]]))
"""


def with_evidence(root: Path, count: int) -> None:
    """Write a project of `count` falsifiers, each with the records of a discharge."""
    project(root, count)
    first = "FALSIFY-TRIVIAL-00000"
    run(root, "-m", "pv", "discharge", first)
    config = load_config(root)
    made = [
        (path, read_record(path).predicate) for path in records_of(config.evidence, "trivial-00000-v1", first)
    ]
    for path in sorted((root / "contracts").glob("*.yaml")):
        contract = load_contract(path)
        for falsifier in contract.falsifiers:
            folder = config.evidence / contract.stem / falsifier.id
            folder.mkdir(parents=True, exist_ok=True)
            for original, predicate in made:
                place = {"contract": contract.stem, "path": config.relative(path), "id": falsifier.id}
                told = statement(
                    {
                        **predicate,
                        "falsifier": {**predicate["falsifier"], **place},
                        "inputs": current_inputs(
                            falsifier, predicate["place"]["base_level"], config
                        ).to_json(),
                    }
                )
                (folder / original.name).write_text(json.dumps(told, indent=1, sort_keys=True))


def run(root: Path, *words: str) -> str:
    """Run Python in the project `root` with the engine of this tree; return its standard output."""
    done = subprocess.run(
        [sys.executable, *words], cwd=root, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def took(root: Path, *words: str) -> tuple[float, str]:
    """Return the wall time of :func:`run` in seconds, and its output."""
    began = time.perf_counter()
    told = run(root, *words)
    return time.perf_counter() - began, told


def written_again(site: Path, other: Path) -> float:
    """Return the seconds that it takes to write the pages of `site` as other files, and nothing else."""
    pages = [(path.name, path.read_bytes()) for path in each_page(site)]
    other.mkdir()
    began = time.perf_counter()
    for number, (name, data) in enumerate(pages):
        (other / f"{number}-{name}").write_bytes(data)
    return time.perf_counter() - began


def each_page(site: Path) -> Iterator[Path]:
    """Yield the pages of a site."""
    return site.rglob("*.html")


def main() -> None:
    """Measure each count and print the table."""
    words = sys.argv[1:]
    memory = "--memory" in words
    counts = [int(word) for word in words if word != "--memory"] or [1000, MOST]
    print(
        f"{'falsifiers':>10} {'status':>8} {'report':>8} {'pages':>8} {'processor':>10} {'floor':>8}"
        f" {'index':>9}"
    )
    for count in counts:
        with (
            tempfile.TemporaryDirectory() as folder,
            tempfile.TemporaryDirectory(
                dir="/dev/shm" if memory else None  # noqa: S108 -- a folder of our own in it
            ) as place,
        ):
            root, site = Path(folder) / "project", Path(place) / "site"
            with_evidence(root, count)
            status, _ = took(root, "-m", "pv", "status", "--json")
            report, told = took(root, "-c", TIMED, str(site))
            pages, processor = json.loads(told)
            floor = written_again(site, Path(place) / "again")
            index = (site / "index.html").stat().st_size
        print(
            f"{count:>10} {status:>6.2f} s {report:>6.2f} s {pages:>6.2f} s {processor:>8.2f} s"
            f" {floor:>6.2f} s {index / 1e6:>6.2f} MB",
            flush=True,
        )
        print(
            f"{'':>10} pages against status {pages / status:.2f}x, against the floor {pages / floor:.1f}x;"
            f" {pages / count * 1e3:.2f} ms a falsifier on {len(os.sched_getaffinity(0))} processors"
        )
        if count >= MOST:
            print(
                f"\nthe pages of {count}: {pages:.1f} s; target {TARGET_SECONDS:.0f}:"
                f" {'met' if pages <= TARGET_SECONDS else 'missed'}"
            )


if __name__ == "__main__":
    main()
