"""What the second look at a big subject costs, as a part of the first; and together, of one by one.

The files are made here, of random bytes, and the clock is set an hour on, since digests are remembered
only of what was untouched for a minute. Printed are ratios, which depend less on the machine than times.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pv.digests import DigestCache, digest_path

FILES = 4
BYTES = 64 << 20
ROUNDS = 5
HOUR = 3600 * 10**9


def seconds(work: Callable[[], object]) -> float:
    """Return the median wall time of `work`, in seconds."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> None:
    """Time both and print the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder, kept = Path(name) / "files", Path(name) / "digests.json"
        folder.mkdir()
        files = [folder / str(number) for number in range(FILES)]
        for file in files:
            file.write_bytes(os.urandom(BYTES))

        def cache() -> DigestCache:
            return DigestCache(kept, lambda: time.time_ns() + HOUR)

        first = seconds(lambda: digest_path(folder))
        one_by_one = seconds(lambda: [digest_path(file) for file in files])
        filled = cache()
        digest_path(folder, cache=filled)
        filled.save()
        second = seconds(lambda: digest_path(folder, cache=cache()))
    print(f"{FILES} files of {BYTES >> 20} MiB, {os.cpu_count()} processors")
    print(
        f"second look / first look   {second / first:9.6f}   ({second * 1e3:.2f} ms of {first * 1e3:.0f} ms)"
    )
    print(f"together / one by one      {first / one_by_one:9.2f}")


if __name__ == "__main__":
    main()
