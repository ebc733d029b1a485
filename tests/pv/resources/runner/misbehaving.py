"""Checks that behave badly in one way each; run by tests/pv/test_runner.py in processes of their own."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pv.check import Metric, Run, check


@check(metrics=[Metric("value"), Metric("pieces", kind="count"), Metric("word", kind="text")])
def behaves(run: Run, *, how_many: int) -> None:
    for index in run.progress(range(how_many)):
        run.record("value", index / 2, label=f"item {index}")
    run.record("pieces", how_many)
    run.record("word", "done")
    sys.stdout.write("measured\n")


@check(metrics=[Metric("value")])
def damaged(run: Run, *, text: bytes) -> None:
    assert run.undamaged("text") == b"good"
    run.record("value", float(len(text)))


@damaged.counter_example("longer", of="text")
def longer(text: bytes, *, suffix: str = "!") -> bytes:
    return text + suffix.encode()


@check(metrics=[Metric("value"), Metric("seconds")])
def unending(run: Run, *, text: bytes) -> None:
    begun = time.monotonic()
    size = len(text)
    while (passed := time.monotonic() - begun) < 300:
        run.record("seconds", passed)
        run.record("value", float(size))
        time.sleep(0.01)


@unending.counter_example("longer", of="text")
def longer_text(text: bytes) -> bytes:
    return text + b"!"


@damaged.counter_example("never_reached", of="nowhere")
def never_reached(text: bytes) -> bytes:
    return text


def open_text(path: Path) -> bytes:
    return path.read_bytes()


@check(metrics=[Metric("value")])
def raises(run: Run) -> None:
    run.record("value", 1.0)
    raise RuntimeError("the tensor is\nupside down")


@check(metrics=[Metric("value")])
def hangs(run: Run) -> None:
    time.sleep(60)


@check(metrics=[Metric("value")])
def allocates(run: Run) -> None:
    kept = []
    while True:
        kept.append(bytearray(1 << 24))


@check(metrics=[Metric("value")])
def allocates_in_children(run: Run) -> None:
    for _ in range(8):
        if os.fork() == 0:
            block = bytearray(b"x" * (24 << 20))
            time.sleep(60)
            os._exit(len(block) and 0)
    time.sleep(60)


@check(metrics=[Metric("value")])
def leaves(run: Run) -> None:
    run.record("value", 1.0)
    os._exit(0)


@check(metrics=[Metric("value")])
def exits(run: Run) -> None:
    sys.exit(0)


@check(metrics=[Metric("value")])
def aborts(run: Run) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


@check(metrics=[Metric("value")])
def kills_its_parent(run: Run) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


@check(metrics=[Metric("value")])
def prints_a_gigabyte(run: Run) -> None:
    block = b"x" * (1 << 20)
    for _ in range(1024):
        os.write(1, block)
    os.write(1, b"\nthe last line\n")
    run.record("value", 1.0)


@check(metrics=[Metric("value")])
def forks_a_daemon(run: Run) -> None:
    there = Path(run.scratch(), "daemon")
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            there.with_name("written").write_text(str(os.getpid()))
            there.with_name("written").rename(there)
            time.sleep(60)
        os._exit(0)
    while not there.exists():
        time.sleep(0.01)
    run.record("value", float(there.read_text()))


@check(metrics=[Metric("value")])
def comes_back_twice(run: Run) -> None:
    os.fork()
    run.record("value", 1.0)


@check(metrics=[Metric("value")])
def forks_without_end(run: Run) -> None:
    while True:
        if os.fork() == 0:
            time.sleep(60)


@check(metrics=[Metric("value")])
def records_undeclared(run: Run) -> None:
    run.record("other", 1.0)


@check(metrics=[Metric("value")])
def records_wrong_kind(run: Run) -> None:
    run.record("value", "one")


@check(metrics=[Metric("value")])
def records_without_end(run: Run) -> None:
    while True:
        run.record("value", 1.0, label="x" * 10_000)


@check(metrics=[Metric("value")])
def imports_in_hiding(run: Run) -> None:
    run.record("value", float(importlib.import_module("hidden" + "_module").VALUE))


@check(metrics=[Metric("value")])
def reads_in_hiding(run: Run) -> None:
    run.record("value", float(len(Path(__file__).with_name("threshold.txt").read_text())))


@check(metrics=[Metric("value")])
def seeded(run: Run) -> None:
    import random

    run.record("value", random.random())


def build_twice(source: str, output: str, *, times: int) -> None:
    Path(output).write_bytes(Path(source).read_bytes() * times)


def build_nothing(source: str, output: str) -> None:
    pass


@check(metrics=[Metric("value")])
def forks_in_every_fork(run: Run) -> None:
    while True:
        os.fork()


def _send(run: Run, line: bytes) -> None:
    channel: Any = run.record.__self__._channel  # type: ignore[attr-defined]
    channel.send({"record": ["value", 1.0, None]}, now=True)
    os.write(channel._descriptor, line + b"\n")


@check(metrics=[Metric("value")])
def says(run: Run, *, line: str) -> None:
    _send(run, line.encode())


@check(metrics=[Metric("value")])
def nests(run: Run) -> None:
    _send(run, b"[" * 100_000)


@check(metrics=[Metric("value")])
def stops_its_parent(run: Run) -> None:
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(100)


@check(metrics=[Metric("value")])
def leaves_a_thread(run: Run) -> None:
    run.record("value", 0.0)
    threading.Thread(target=time.sleep, args=(1,)).start()


@check(metrics=[Metric("value")])
def records_in_threads(run: Run) -> None:
    def record() -> None:
        for number in range(10_000):
            run.record("value", float(number), label="x" * 50)

    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@check(metrics=[Metric("value")])
def reads_code_in_hiding(run: Run) -> None:
    run.record("value", float(len(Path(__file__).with_name("hidden_module.py").read_text())))


@check(metrics=[Metric("value")])
def reads_what_looks_installed(run: Run) -> None:
    run.record("value", float(len((Path(__file__).parent / "site-packages" / "value.txt").read_text())))


@check(metrics=[Metric("value")])
def reads_beside(run: Run, *, text: bytes) -> None:
    run.record("value", float(len(text) + len(Path(__file__).with_name("threshold.txt").read_text())))


@check(metrics=[Metric("word", kind="text")])
def records_half_a_character(run: Run) -> None:
    run.record("word", "\ud83d")
