"""A ledger in PostgreSQL whose server is killed while a fleet writes: nothing may be lost or doubled.

Eight processes enter runs, a few at a time, and write down each that the ledger has acknowledged. Meanwhile
the server and all its processes are ended with SIGKILL, again and again, and started anew; after each start,
what was acknowledged before the kill must be there. At the end every run must be there once, as it was
entered. The exit code is 1 where that is not so.

    python -m benchmarks.kills_ledger [KILLS] [SEED]      by default 20 kills, seed 0
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.postgresql import Server, running
from benchmarks.sweep import environment
from pv.ledger import Ledger
from pv.record_facts import Compared, Facts

WRITERS = 8
LONGEST_SECONDS = 1.0
SPAN = 1_000_000
"""Numbers of one writer; no two have the same, but for every tenth, which all enter."""
PATIENCE_SECONDS = 120.0
EACH = 3
SHOWN = 20


def made(number: int) -> Facts:
    """Return the facts of the run `number`: all that is in them follows from it."""
    return Facts(
        digest=f"{number:064x}",
        contract="c-v1",
        identifier=f"F-{number % 5}",
        level="live",
        base_level="live",
        subject="s",
        device="cpu",
        run="",
        host="linux",
        outcome="Pass",
        started_at=f"2026-01-01T00:00:{number % 60:02}+00:00",
        seconds=number / 8,
        commit="",
        dirty=False,
        clause="0" * 64,
        inputs="1" * 64,
        compared=tuple(Compared(f"x{part}", number / 4, 0.5, None, None) for part in range(number % 3)),
        decisive="x0" if number % 3 else "",
    )


def write(url: str, writer: int, acknowledged: Path, stop: Path) -> None:
    """Enter runs until the file `stop` is there; a line of `acknowledged` is a number that the ledger has."""
    ledger = Ledger(url, patience=PATIENCE_SECONDS)
    step = 0
    with acknowledged.open("a") as file:
        while not stop.exists():
            numbers = [writer * SPAN + step * EACH + part for part in range(EACH)]
            numbers.append(WRITERS * SPAN + step // 10)  # another writer enters that one as well
            ledger.enter(map(made, numbers))
            file.write("".join(f"{number}\n" for number in numbers))
            file.flush()
            step += 1


def told(folder: Path) -> list[int]:
    """Return every number that was acknowledged; a line that is half written is none."""
    texts = [path.read_text() for path in folder.glob("acknowledged-*")]
    return [int(line) for text in texts for line in text.splitlines(keepends=True) if line.endswith("\n")]


def lost(server: Server, numbers: list[int]) -> list[str]:
    """Say what of `numbers` is not in the ledger, once, as it was entered; empty where nothing is wrong."""
    found = Ledger(server.url, patience=PATIENCE_SECONDS).facts()
    times = Counter(one.digest for one in found)
    held = {one.digest: one for one in found}
    wrong = [f"{digest} is there {count} times" for digest, count in times.items() if count > 1]
    for number in set(numbers):
        expected = made(number)
        if held.get(expected.digest) != expected:
            state = "changed" if expected.digest in held else "lost"
            wrong.append(f"run {number} was acknowledged, and is {state}")
    wrong += [f"{one.digest} was never entered so" for one in found if one != made(int(one.digest, 16))]
    return wrong


def rounds(kills: int, seed: int) -> tuple[int, list[str]]:
    """Kill the server `kills` times; return how many runs were acknowledged, and what is wrong."""
    choice = random.Random(seed)  # noqa: S311 -- moments, not secrets
    wrong: list[str] = []
    with running() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stop = folder / "stop"
        words = [sys.executable, "-m", "benchmarks.kills_ledger", "write", server.url]
        writers = [
            subprocess.Popen(
                [*words, str(writer), folder / f"acknowledged-{writer}", stop],
                cwd=Path(__file__).resolve().parents[1],
                env=environment() | {"PYTHONUNBUFFERED": "1"},
            )
            for writer in range(WRITERS)
        ]
        try:
            wait_for_each(folder)
            for _ in range(kills):
                time.sleep(choice.uniform(0.05, LONGEST_SECONDS))
                server.kill()
                before = told(folder)
                server.start()
                wrong += lost(server, before)
        finally:
            stop.touch()
            ended = [writer.wait(2 * PATIENCE_SECONDS) for writer in writers]
        wrong += [f"writer {number} ended with {code}" for number, code in enumerate(ended) if code]
        every = told(folder)
        return len(set(every)), wrong + lost(server, every)


def wait_for_each(folder: Path) -> None:
    """Wait until every writer has entered something: a kill before that would show nothing."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        files = list(folder.glob("acknowledged-*"))
        if len(files) == WRITERS and all(file.stat().st_size for file in files):
            return
        time.sleep(0.05)
    raise RuntimeError("the writers do not begin")


def main() -> None:
    """Kill as often as was asked for, and print what came of it."""
    if sys.argv[1:2] == ["write"]:
        url, writer, acknowledged, stop = sys.argv[2:]
        write(url, int(writer), Path(acknowledged), Path(stop))
        return
    kills, seed = ([int(word) for word in sys.argv[1:]] + [20, 0][len(sys.argv) - 1 :])[:2]
    entered, wrong = rounds(kills, seed)
    print(f"{kills} kills, {WRITERS} writers, {entered} runs acknowledged; {len(wrong)} wrong")
    print(*wrong[:SHOWN], sep="\n")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
