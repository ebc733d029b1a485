from __future__ import annotations

import ctypes
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pv.network import can_cut_off, cut_off
from tests.pv.conftest import Project

CHECK = """
import os, socket
from pv.check import Metric, Run, check


@check(
    metrics=[
        Metric("reached", kind="count"), Metric("itself", kind="count"), Metric("neighbour", kind="count")
    ]
)
def reaches(run: Run, *, port: int, path: str) -> None:
    run.record("reached", _connects(socket.AF_INET, ("127.0.0.1", port)))
    run.record("neighbour", _connects(socket.AF_UNIX, path))
    with socket.create_server(("127.0.0.1", 0)) as own:
        run.record("itself", _connects(socket.AF_INET, own.getsockname()))


def _connects(family: int, address: object) -> int:
    with socket.socket(family) as one:
        one.settimeout(5)
        return int(one.connect_ex(address) == 0)
"""


@pytest.fixture
def server() -> Iterator[int]:
    """A server of this host; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[str]:
    """A server on a socket of the file system; yields its path."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        yield path


def apart(act: Callable[[], bool], *, cut: bool = True) -> bool:
    """Return what `act` does in a process of its own, which has cut itself off first."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = int((not cut or cut_off()) and act())
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, 1}
    return bool(code)


def connects(family: socket.AddressFamily, address: object) -> bool:
    with socket.socket(family) as one:
        one.settimeout(5)
        return one.connect_ex(address) == 0  # type: ignore[arg-type]


def test_servers_of_the_host_are_out_of_reach_and_sockets_of_the_file_system_are_not(
    server: int, neighbour: str
) -> None:
    assert connects(socket.AF_INET, ("127.0.0.1", server))
    assert not apart(lambda: connects(socket.AF_INET, ("127.0.0.1", server)))
    assert apart(lambda: connects(socket.AF_UNIX, neighbour)) == can_cut_off()


def test_it_takes_no_root_and_leaves_no_power(server: int) -> None:
    def nobody() -> bool:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(12345)
            os.setuid(12345)
            ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # its own files in /proc stay its own
        user = os.geteuid()
        done = cut_off()
        powers = [line for line in Path("/proc/self/status").read_text().splitlines() if "CapEff" in line]
        kept = done == (not connects(socket.AF_INET, ("127.0.0.1", server)))
        return kept and os.geteuid() == user and int(powers[0].split()[1], 16) == 0

    assert apart(nobody, cut=False)


def test_this_process_keeps_its_network(server: int) -> None:
    threads = threading.active_count()
    can_cut_off()
    assert connects(socket.AF_INET, ("127.0.0.1", server))
    assert threading.active_count() == threads


def reaching(project: Project, server: int, neighbour: str, **needs: object) -> None:
    (project.root / "small_checks" / "reaching.py").write_text(CHECK)
    project.contract(
        check="small_checks.reaching:reaches",
        subjects=None,
        counter_examples=None,
        needs={"memory": "256 MiB", "timeout": "20 s"} | needs,
        **{"with": {"port": server, "path": neighbour}},
        expect=["sum(reached) == 2"],
    )


@pytest.mark.parametrize("asked", [False, True])
def test_a_check_is_cut_off_unless_it_asks_and_evidence_says_so(
    project: Project, server: int, neighbour: str, asked: bool
) -> None:
    reaching(project, server, neighbour, **({"network": True} if asked else {}))
    project.pv("discharge", "FALSIFY-SMALL-001")
    (name,) = project.evidence()
    predicate = json.loads(project.evidence()[name])["predicate"]
    expected = "none" if can_cut_off() and not asked else "open"
    assert predicate["isolation"] == {"network": expected}
    values = {name: series["values"] for name, series in predicate["measurements"].items()}
    assert values == {"reached": [int(expected == "open")], "itself": [1], "neighbour": [1]}
    assert project.pv("evidence", "verify").code == 0


def test_evidence_that_does_not_say_it_verifies(copied: Project, restamp: Callable[..., bytes]) -> None:
    record = copied.record()
    whole = json.loads(record.read_text())
    assert whole["predicate"].pop("isolation")
    record.write_bytes(restamp(json.dumps(whole).encode(), {}))
    assert copied.pv("evidence", "verify").code == 0
    assert copied.status()[0] == "DISCHARGED"


def test_what_is_not_asked_for_is_no_part_of_a_clause(project: Project) -> None:
    from pv.normal_form import clause_digest

    before = clause_digest(project.load().falsifiers[0])
    project.contract(needs={"memory": "256 MiB", "timeout": "20 s", "network": False})
    assert clause_digest(project.load().falsifiers[0]) == before
    project.contract(needs={"memory": "256 MiB", "timeout": "20 s", "network": True})
    assert clause_digest(project.load().falsifiers[0]) != before
