from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# In programs of their own: processes that run tests have threads, and so must not fork.
PROGRAM = """
import os, sys, signal, threading, time
from pv.shared_work import FEW, share
COUNT = 4 * FEW
OWN = os.getpid()
def work(number):
    return number, os.getpid()
def pack(result):
    return ("%d %d" % result).encode()
def unpack(number, data):
    found = tuple(map(int, data.split()))
    assert found[0] == number
    return found
"""
IN_ORDER = "assert [n for n, _ in done] == list(range(COUNT)), done\n"
SEVERAL = "assert len({p for _, p in done}) == min(4, len(os.sched_getaffinity(0))), done\n"
ALONE = "assert {p for _, p in done} == {OWN}, done\n"
NOBODY = """
try:
    os.waitpid(-1, os.WNOHANG)
    raise SystemExit("a process is left")
except ChildProcessError:
    pass
"""


def run(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM + text],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


SLOW = "def slow(number):\n    time.sleep(0.0005)\n    return work(number)\n"


@pytest.mark.parametrize(
    "text",
    [
        SLOW + "done = [*share(COUNT, slow, pack, unpack)]\n" + IN_ORDER + SEVERAL + NOBODY,
        "done = [*share(COUNT, work, lambda _: None, unpack)]\n" + IN_ORDER + ALONE + NOBODY,
        "COUNT = FEW - 1\ndone = [*share(COUNT, work, pack, unpack)]\n" + IN_ORDER + ALONE,
        "COUNT = 0\ndone = [*share(COUNT, work, pack, unpack)]\n" + IN_ORDER,
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "done = [*share(COUNT, work, pack, unpack)]\n" + IN_ORDER + ALONE,
        "def refused(): raise BlockingIOError(11, 'no more processes')\n"
        "os.fork = refused\ndone = [*share(COUNT, work, pack, unpack)]\n" + IN_ORDER + ALONE + NOBODY,
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "done = [*share(COUNT, work, pack, unpack)]\n" + IN_ORDER + ALONE,
    ],
    ids=["shared", "unpackable", "few", "none", "one processor", "no more processes", "threads"],
)  # fmt: skip
def test_results_are_those_of_one_process(text: str) -> None:
    done = run(text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os._exit(0)",
        "os._exit(3)",
        "raise MemoryError",
        "sys.exit(5)",
    ],
)
def test_what_another_process_fails_to_do_is_done_here(end: str) -> None:
    dying = (
        f"def dying(number):\n    if os.getpid() != OWN and number > FEW: {end}\n    return slow(number)\n"
    )
    done = run(SLOW + dying + "done = [*share(COUNT, dying, pack, unpack)]\n" + IN_ORDER + NOBODY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_error_is_raised_at_its_turn() -> None:
    done = run("""
def failing(number):
    if number in (300, 500):
        raise ValueError(number)
    return work(number)
done = []
try:
    for result in share(COUNT, failing, pack, unpack):
        done.append(result)
except ValueError as error:
    assert error.args == (300,)
    COUNT = 300
""" + IN_ORDER + NOBODY)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_interrupt_leaves_nobody_behind() -> None:
    text = (
        """
def endless(number):
    if number > FEW: time.sleep(60)
    return work(number)
try:
    print("begun", flush=True)
    [*share(COUNT, endless, pack, unpack)]
except KeyboardInterrupt:
    print("ended", flush=True)
"""
        + NOBODY
    )
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM + text],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        time.sleep(1)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does it
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (0, "ended\n", "")
