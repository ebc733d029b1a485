"""Many small pieces of work, shared with forked processes: the results are those of one, in the same order.

Whatever goes wrong in another process (it is killed, it raises, its result cannot be packed) makes of a piece
one that is done here, at its turn. So errors are raised where, and as, they would be by one process.
"""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Callable, Iterator
from typing import IO, NoReturn, TypeVar

__all__ = ["FEW", "share"]

Result = TypeVar("Result")
Attempt = Callable[[range], None]

FEW = 200
"""So many pieces are sooner done than shared: a fork, and what it copies, takes some ten milliseconds."""
_MOST_PROCESSES = 4
"""What is packed and unpacked is not shared: more than this gain nothing."""
_MOST_TOKENS = 1000
_TOKEN, _HEAD = struct.Struct("<I"), struct.Struct("<II")
_NOTED = 0xFFFFFFFF
"""The number of no piece: what a process looked at, for whoever remembers results."""


def share(
    count: int,
    work: Callable[[int], Result],
    pack: Callable[[Result], bytes | None],
    unpack: Callable[[int, bytes], Result],
) -> Iterator[Result]:
    """Yield ``work(0)`` to ``work(count - 1)`` in order; with few pieces or one processor, done one by one.

    Parameters
    ----------
    count
        How many pieces there are.
    work
        Does one. Of each piece it may be called in another process, or a second time after it raised.
    pack, unpack
        Turn a result into bytes (None: it must be made here) and, with its number, back.
    """
    others = _others(count)
    first = FEW // 8 if others else count
    for number in range(first):  # what these import is there before processes part
        yield work(number)
    if not others:
        return
    done: dict[int, Result] = {}

    def here(pieces: range) -> None:
        for number in pieces:
            try:
                done[number] = work(number)
            except Exception:  # noqa: S112  it is done again at its turn, and raises there
                continue

    packed = _shared(range(first, count), others, here, lambda number: pack(work(number)))
    for number in range(first, count):
        if number in done:
            yield done.pop(number)
        elif number in packed:
            yield unpack(number, packed.pop(number))
        else:
            yield work(number)


def _others(count: int) -> int:
    """Return how many processes to have besides this one; a process with threads must not fork."""
    if count < FEW:
        return 0
    import threading  # late: one file must not wait for it

    if threading.active_count() > 1:
        return 0
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES, count // (FEW // 2)) - 1


def _shared(
    pieces: range, others: int, here: Attempt, packed: Callable[[int], bytes | None]
) -> dict[int, bytes]:
    """Do `pieces`, some `here`; return by number what other processes made of the rest."""
    # Late, as above: who shares nothing need not wait for what remembers.
    from pv.result_cache.workers import adopt, workers

    size = max(8, -(-len(pieces) // _MOST_TOKENS))
    shares = [pieces[start : start + size] for start in range(0, len(pieces), size)]
    # A token a share lies in a pipe. Whoever is free takes one, so that no process waits for a slower one.
    tokens, writing = os.pipe()
    os.write(writing, b"".join(map(_TOKEN.pack, range(len(shares)))))
    os.close(writing)
    children: dict[int, int] = {}
    found: dict[int, bytes] = {}
    try:
        for _ in range(others):
            parent = os.getpid()
            try:
                results = os.memfd_create("pv")
            except OSError:
                break  # this process does what is left
            try:
                with workers():
                    child = os.fork()
            except OSError:
                os.close(results)
                break
            if child == 0:
                _work(tokens, shares, results, packed, parent)
            children[child] = results
        for taken in _taken(tokens, shares):
            here(taken)
        for child, results in [*children.items()]:
            _, status = os.waitpid(child, 0)
            del children[child]
            with open(results, "rb") as file:  # noqa: PTH123  (a descriptor, not a path)
                records = _records(file) if status == 0 else {}
            noted = records.pop(_NOTED, None)
            if noted is not None:  # else it did not come to its end, whatever it says
                found |= records
                adopt(noted)
    finally:
        os.close(tokens)
        for child, results in children.items():
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(results)
    return found


def _work(
    tokens: int, shares: list[range], results: int, packed: Callable[[int], bytes | None], parent: int
) -> NoReturn:
    """Do shares until none is left, or nobody wants them; never returns, and says nothing to anybody."""
    from pv.result_cache.workers import handed_over

    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with open(results, "wb") as file:
            for taken in _taken(tokens, shares):
                if os.getppid() != parent:
                    os._exit(1)
                for number in taken:
                    try:
                        data = packed(number)
                    except Exception:  # noqa: S112  it is done again where errors are raised
                        continue
                    if data is not None:
                        file.write(_HEAD.pack(number, len(data)) + data)
            noted = handed_over()
            file.write(_HEAD.pack(_NOTED, len(noted)) + noted)
        status = 0
    finally:
        os._exit(status)


def _taken(tokens: int, shares: list[range]) -> Iterator[range]:
    while token := os.read(tokens, _TOKEN.size):
        yield shares[_TOKEN.unpack(token)[0]]


def _records(file: IO[bytes]) -> dict[int, bytes]:
    file.seek(0)
    found: dict[int, bytes] = {}
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        number, length = _HEAD.unpack(head)
        found[number] = file.read(length)
    return found
