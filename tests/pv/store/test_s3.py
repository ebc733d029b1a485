"""A store in S3: moto's server, spoken to by s3fs, at a free port of this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

if TYPE_CHECKING:
    from tests.pv.conftest import Project

pytestmark = pytest.mark.service
ID = "FALSIFY-SMALL-001"
NAME = f"small-v1/{ID}/live-shipped-cpu.json"
URL = "s3://evidence/of/pv"
Restamp = Callable[[bytes, Mapping[str, Any]], bytes]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with (tmp_path_factory.mktemp("moto") / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
        )
    try:
        make_bucket(address)
        yield address
    finally:
        server.kill()
        server.wait()


def make_bucket(address: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            with urlopen(Request(f"{address}/evidence", method="PUT"), timeout=10):  # noqa: S310 -- our own server
                return
        except URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def start(project: Path, endpoint: str, *words: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [sys.executable, "-m", "pv", "evidence", *words]
    return subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def pv(project: Path, endpoint: str, *words: str) -> tuple[int, str]:
    process = start(project, endpoint, *words)
    out, _ = process.communicate(timeout=120)
    return process.returncode, out


def test_two_hosts_push_at_once_and_a_third_pulls(
    copied: Project, restamp: Restamp, lengthen: Callable[..., Path], tmp_path: Path, endpoint: str
) -> None:
    lengthen(copied)
    first = copied.record().read_bytes()
    hosts = [tmp_path / "one", tmp_path / "other"]
    for number, host in enumerate(hosts):
        shutil.copytree(copied.root, host)
        began = {"run.started_at": f"2030-01-01T00:00:0{number}+00:00"}
        (host / "evidence" / NAME).write_bytes(restamp(first, began))
    pushing = [start(host, endpoint, "push", URL) for host in hosts for _ in range(2)]
    told = [process.communicate(timeout=120)[0] for process in pushing]
    assert [process.returncode for process in pushing] == [0] * 4, told
    shutil.rmtree(copied.root / "evidence")
    code, out = pv(copied.root, endpoint, "pull", URL)
    assert code == 0, out
    assert "2 taken, 1 left (1 because the other began later)" in out
    assert copied.record().read_bytes() == (hosts[1] / "evidence" / NAME).read_bytes()
    assert copied.status()[0] == "DISCHARGED"
    code, out = pv(copied.root, endpoint, "pull", URL)
    assert (code, out) == (
        0,
        "0 taken, 3 left (2 because it is here already, 1 because the other began later)\n",
    )


def test_a_bucket_that_is_not_there_is_one_message(copied: Project, endpoint: str) -> None:
    code, out = pv(copied.root, endpoint, "push", "s3://nowhere/at/all")
    assert code == 4
    assert "error: s3://nowhere/at/all: " in out
    assert "Traceback" not in out
