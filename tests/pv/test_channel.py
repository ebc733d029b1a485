from __future__ import annotations

import json
import os

from pv.channel import Channel


def lines_of(descriptor: int) -> list[object]:
    with os.fdopen(descriptor, "rb") as pipe:
        return [json.loads(line) for line in pipe]


def test_messages_wait_until_one_is_due_and_keep_their_order() -> None:
    read, write = os.pipe()
    channel = Channel(write)
    channel.send({"first": 1})
    os.set_blocking(read, False)
    try:
        early = os.read(read, 100)
    except BlockingIOError:
        early = b""
    channel.send({"second": 2}, now=True)
    os.close(write)
    os.set_blocking(read, True)
    assert early == b""
    assert lines_of(read) == [{"first": 1}, {"second": 2}]


def test_more_than_fits_into_a_pipe_is_sent_when_somebody_reads() -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        channel = Channel(write)
        for number in range(40):
            channel.send({"number": number, "text": "x" * 5000})
        channel.send({}, now=True)
        os._exit(0)
    os.close(write)
    received = lines_of(read)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(received) == 41
    assert received[-1] == {}


def test_a_forked_copy_that_comes_back_ends_instead_of_speaking() -> None:
    read, write = os.pipe()
    channel = Channel(write)
    child = os.fork()
    if child == 0:
        channel.send({"from": "a copy"}, now=True)
        os._exit(0)
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 70
    assert lines_of(read) == []
