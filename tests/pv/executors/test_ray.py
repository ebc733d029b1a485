from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.errors import ConfigError
from pv.executors import parse_settings
from pv.executors.protocol import Event, Setup
from pv.executors.ray import make_executor
from pv.exits import Exit
from pv.outcome import Options

if TYPE_CHECKING:
    from benchmarks.ray_cluster import Node, RayCluster
    from tests.pv.conftest import Ended, Project

IDS = tuple(f"FALSIFY-SMALL-{number:03}" for number in range(1, 7))


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("address", "ray://head:10001", "it is auto, local, or HOST:PORT"),
        ("address", "", "it is auto, local, or HOST:PORT"),
        ("root", "project", "'project' is not an absolute path"),
        ("cpus", 0, "0 is not a positive number"),
        ("cpus", "nan", "nan is not a positive number"),
        ("patience", "long", "could not convert"),
    ],
)
def test_settings_that_mean_nothing_are_refused(key: str, value: object, why: str) -> None:
    with pytest.raises(ConfigError, match=f"executors.ray.{key}: .*{why}"):
        parse_settings("ray", {key: value})


def test_settings_are_read() -> None:
    found = parse_settings("ray", {"address": "head:6379", "root": "/srv/p", "cpus": "0.5", "patience": 9})
    assert found == {"address": "head:6379", "root": "/srv/p", "cpus": 0.5, "patience": 9.0}


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="needs Ray") as caught:
        make_executor(Setup(tmp_path, tmp_path, {}))
    assert "pip install 'pv[ray]'" in caught.value.remedy


def test_a_gpu_cannot_be_named_by_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: "it is there")
    with pytest.raises(ConfigError, match="cuda:1 is a GPU of one host"):
        make_executor(Setup(tmp_path, tmp_path, {"device": "cuda:1"}))


# What follows runs on real clusters: `make services`.


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """Two nodes, each with room for two tasks and two GPUs; a test that breaks one adds another."""
    from benchmarks.ray_cluster import RayCluster

    with RayCluster(tmp_path_factory.mktemp("ray")) as made:
        made.add("ash", cpus=2, gpus=2)
        made.add("beech", cpus=2, gpus=2)
        yield made


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The folder on the nodes, which have no disk in common with the engine."""
    return tmp_path / "there"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What checks note when they held which device; outside of every project."""
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


def write(project: Project, log: Path, seconds: float = 0.0, **changes: Any) -> None:
    """Write a contract of six that take `seconds` twice; `changes` are keyed by the last digit of an id."""
    from tests.pv.conftest import CLAUSE

    clause = dict(CLAUSE) | {
        "check": "small_checks.devices:holds_a_device",
        "with": {"log": str(log), "seconds": seconds, "value": 1.0},
        "subjects": None,
        "expect": ["min(x) >= 1", "count(visible) == 1"],
        "counter_examples": ["less"],
        "needs": {"memory": "64 MiB", "timeout": "60 s"} | changes.get("needs", {}),
    }
    project.contract(*(clause | {"id": one} | changes.get(f"_{one[-1]}", {}) for one in IDS))


def words(cluster: RayCluster, root: Path | None = None) -> tuple[str, ...]:
    at = () if root is None else ("--set", f"root={root}")
    return ("sweep", "--executor", "ray", "--set", f"address={cluster.address}", *at)


def outcomes(ended: Ended) -> dict[str, str]:
    return {one["falsifier"].partition("#")[2]: one["outcome"] for one in ended.json["results"]}


def named(node: Node, what: str) -> list[int]:
    """Return the processes of a node that are called `what`."""
    found = []
    for pid in node.processes:
        try:
            if what.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for_work(*nodes: Node, count: int = 1) -> None:
    """Wait until `count` workers on each of `nodes` are at a check."""
    wait_until(lambda: all(len(named(node, "pv.zygote")) >= 2 * count for node in nodes))


@pytest.mark.service
def test_records_come_back_from_nodes_that_share_no_disk(
    project: Project, cluster: RayCluster, there: Path, log: Path
) -> None:
    write(project, log, _2={"expect": ["min(x) >= 2"]})
    shutil.copytree(project.root, there)
    process = project.start(*words(cluster, there), "--json")
    out, said = process.communicate(timeout=120)
    assert process.returncode == Exit.REJECTED, said
    assert json.loads(out)["counts"] == {"Fail": 1, "Pass": 5}  # alone on standard output
    assert f"FAIL  small-v1#{IDS[1]}" in said
    assert "INFO" not in said
    mine = project.evidence()
    assert len(mine) == 11  # one failed at its lower level already
    kept = (there / "evidence").rglob("*.json")
    assert {path.relative_to(there / "evidence").as_posix(): path.read_bytes() for path in kept} == mine
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
    assert project.pv(*words(cluster, there), IDS[0], IDS[2], "--json").json["planned"] == {"fresh": 2}
    # What a node has on record already is carried as well.
    shutil.rmtree(project.root / "evidence")
    again = project.pv(*words(cluster, there), IDS[0], IDS[2], "--json")
    assert [one["fresh"] for one in again.json["results"]] == [True, True]
    assert project.evidence() == {name: data for name, data in mine.items() if name[23:26] in {"001", "003"}}
    assert [*(there / ".pv").glob("ray-*")] == []


@pytest.mark.service
def test_a_node_with_another_project_is_found_out(
    project: Project, cluster: RayCluster, there: Path, log: Path
) -> None:
    write(project, log)
    ended = project.pv(*words(cluster, there))
    assert ended.code == Exit.USAGE
    assert f"of the cluster has no project in {there}" in ended.err
    shutil.copytree(project.root, there)
    write(project, log, _3={"rule": "Another"})
    ended = project.pv(*words(cluster, there), IDS[0], "--json")
    assert ended.code == Exit.ERROR
    assert "is not that of the engine" in ended.json["results"][0]["message"]
    assert project.evidence() == {}


@pytest.mark.service
def test_a_node_with_another_engine_is_refused_by_name(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.ray_cluster import RayCluster
    from tests.pv.conftest import ROOT

    old = tmp_path / "old"
    shutil.copytree(ROOT / "pv", old / "pv")
    (old / "pv/__init__.py").write_text('__version__ = "0.0.9"\n')
    with RayCluster(tmp_path / "ray") as cluster:
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        none = project.pv("sweep", "--executor", "ray")
        assert none.code == Exit.USAGE
        assert "no node of the cluster has room for a task: it takes 1 processor(s)" in none.err
        cluster.add("larch", path=str(old))
        ended = project.pv("sweep", "--executor", "ray")
        assert ended.code == Exit.USAGE
        assert "node larch (" in ended.err
        assert "has pv 0.0.9, semantics 1; here is pv 0." in ended.err
        assert "-m pip install 'pv[ray]==0." in ended.err
        cluster.nodes["larch"].kill()
        (tmp_path / "none/pv").mkdir(parents=True)
        (tmp_path / "none/pv/__init__.py").touch()
        cluster.add("maple", path=str(tmp_path / "none"))
        assert "has no pv; here is" in project.pv("sweep", "--executor", "ray").err
    assert project.evidence() == {}


@pytest.mark.service
def test_no_two_checks_have_one_gpu_on_four_nodes(project: Project, cluster: RayCluster, log: Path) -> None:
    cluster.add("cedar", cpus=2, gpus=2)
    cluster.add("date", cpus=2, gpus=2)
    from tests.pv.conftest import CLAUSE

    clause = dict(CLAUSE) | {
        "check": "small_checks.devices:holds_a_device",
        "with": {"log": str(log), "seconds": 0.05, "value": 1.0},
        "subjects": None,
        "expect": ["min(x) >= 1", "count(visible) == 1"],
        "counter_examples": ["less"],
        "needs": {"memory": "64 MiB", "timeout": "60 s", "gpu": ">=8.9"},
    }
    project.contract(*(clause | {"id": f"FALSIFY-SMALL-{number:03}"} for number in range(40)))
    ended = project.pv(*words(cluster), "--json")
    assert ended.code == Exit.ACCEPTED, ended.said
    lines = [path.read_text().split() for path in log.iterdir()]
    assert len(lines) == 80
    assert {device for _, _, _, device in lines} == {"cuda:0"}
    spans: dict[str, list[tuple[int, int]]] = {}
    for visible, began, done, _ in lines:
        spans.setdefault(visible, []).append((int(began), int(done)))
    assert set(spans) <= {f"GPU-{node}-{n}" for node in ("ash", "beech", "cedar", "date") for n in (0, 1)}
    assert len(spans) >= 6
    for held in spans.values():
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(sorted(held)))


@pytest.mark.service
def test_what_needs_no_gpu_sees_none(project: Project, cluster: RayCluster, log: Path) -> None:
    write(project, log)
    assert project.pv(*words(cluster), IDS[0]).code == Exit.ACCEPTED
    assert {len(path.read_text().split()) for path in log.iterdir()} == {3}  # no word for the devices


@pytest.mark.service
def test_a_node_that_dies_loses_no_result(project: Project, cluster: RayCluster, log: Path) -> None:
    node = cluster.add("elm", cpus=2)
    write(project, log, 1.0)
    process = project.start(*words(cluster), "--json")
    wait_for_work(node)
    node.kill()
    out, said = process.communicate(timeout=120)
    assert process.returncode == Exit.ACCEPTED, said
    report = json.loads(out)
    assert report["counts"] == {"Pass": 6}
    attempts = [why for one in report["results"] for why in one["attempts"]]
    assert 1 <= len(attempts) <= 2
    assert all(why.startswith("node elm (") for why in attempts)
    assert f"AGAIN  small-v1#{IDS[0][:-3]}" in said
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED


@pytest.mark.service
@pytest.mark.parametrize(
    ("victim", "why"),
    [
        ("pv.executors.worker", "the process that was to discharge it ended by SIGKILL"),
        ("ray::Slot", "the actor that was to discharge it died on node "),
    ],
)
def test_a_process_that_is_killed_costs_its_check_and_no_other(
    project: Project, cluster: RayCluster, log: Path, victim: str, why: str
) -> None:
    write(project, log, 1.0)
    process = project.start(*words(cluster), "--json", "--jobs", "1")
    wait_until(lambda: any(len(named(node, "pv.zygote")) >= 2 for node in cluster.nodes.values()))
    (pid,) = [pid for node in cluster.nodes.values() for pid in named(node, victim)][:1]
    os.kill(pid, signal.SIGKILL)
    out, said = process.communicate(timeout=120)
    assert process.returncode == Exit.ERROR, said
    (error,) = [one for one in json.loads(out)["results"] if one["outcome"] == "Error"]
    assert why in error["message"]
    assert error["attempts"] == []
    assert json.loads(out)["counts"] == {"Error": 1, "Pass": 5}


@pytest.mark.service
def test_an_actor_that_died_while_it_was_idle_costs_nothing(
    project: Project, cluster: RayCluster, log: Path
) -> None:
    write(project, log)
    setup = Setup(project.root, log, Options().to_json(), 1, {"address": cluster.address})
    with contextlib.closing(make_executor(setup)) as executor:
        for identifier in IDS[:2]:
            address = f"small-v1#{identifier}"
            executor.start({"address": address, "path": "contracts/small-v1.yaml", "device": "cpu"})
            events: list[Event] = []
            deadline = time.monotonic() + 60
            while not events and time.monotonic() < deadline:
                events += (event for event in executor.wait(0.1) if event["kind"] != "progress")
            assert [(event["kind"], event["task"]) for event in events] == [("ended", address)]
            for node in cluster.nodes.values():
                for pid in named(node, "ray::Slot"):
                    os.kill(pid, signal.SIGKILL)


@pytest.mark.service
def test_without_a_gpu_left_it_says_so_and_does_not_hang(project: Project, tmp_path: Path, log: Path) -> None:
    from benchmarks.ray_cluster import RayCluster

    write(project, log, 1.0, needs={"gpu": "any"}, _6={"needs": {"memory": "64 MiB", "timeout": "9 s"}})
    with RayCluster(tmp_path / "ray") as cluster:
        node = cluster.add("oak", cpus=1, gpus=1)
        cluster.add("pine", cpus=1, gpus=1, kind="Fake T4, 7.5")  # no substitute for what was planned
        process = project.start(*words(cluster), "--json")
        wait_until(lambda: len(named(node, "pv.zygote")) >= 2)
        node.kill()
        out, said = process.communicate(timeout=120)
    assert process.returncode == Exit.ERROR, said
    results = {one["falsifier"].partition("#")[2]: one for one in json.loads(out)["results"]}
    assert results.pop(IDS[5])["outcome"] == "Pass"
    assert len(results) == 5
    assert {one["message"] for one in results.values()} <= {"no node of the cluster that is alive has a GPU"}


@pytest.mark.service
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_runs_on_without_the_engine_and_resume_runs_it_again(
    project: Project, cluster: RayCluster, log: Path, number: signal.Signals
) -> None:
    write(project, log, 1.0)
    process = project.start(*words(cluster))
    wait_until(lambda: any(len(named(node, "pv.zygote")) >= 2 for node in cluster.nodes.values()))
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == (Exit.INTERRUPTED if number == signal.SIGINT else -number), said
    ours = ("pv.executors.worker", "pv.zygote", "ray::Slot")
    wait_until(lambda: not any(named(node, one) for node in cluster.nodes.values() for one in ours), 20)
    ended = project.pv("sweep", "--resume", "--json")
    assert ended.code == Exit.ACCEPTED, ended.err
    assert outcomes(ended) == dict.fromkeys(IDS, "Pass")
    assert ended.json["stepped_over"] == []
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED


@pytest.mark.service
def test_a_cluster_that_is_gone_ends_the_sweep_and_another_takes_it_up(
    project: Project, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.ray_cluster import RayCluster

    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "3")  # a minute unless one says otherwise
    write(project, log, 1.0)
    with RayCluster(tmp_path / "one") as cluster:
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        node = cluster.add("oak", cpus=2)
        process = project.start("sweep", "--executor", "ray")
        wait_for_work(node)
        cluster.end_head()
        _, said = process.communicate(timeout=120)
        assert process.returncode == Exit.ERROR
        assert "the connection to the Ray cluster broke (" in said
        assert "when the cluster is back: pv sweep --resume" in said
    with RayCluster(tmp_path / "two") as cluster:
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        cluster.add("oak", cpus=2)
        ended = project.pv("sweep", "--resume", "--json")
    assert ended.code == Exit.ACCEPTED, ended.err
    assert outcomes(ended) == dict.fromkeys(IDS, "Pass")


@pytest.mark.service
def test_no_cluster_is_started_unless_it_is_asked_for(
    project: Project, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, log)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    ended = project.pv("sweep", "--executor", "ray")
    assert ended.code == Exit.USAGE
    assert "there is no Ray cluster at 127.0.0.1:1 (" in ended.err
    assert "start one with `ray start --head`" in ended.err
    monkeypatch.delenv("RAY_ADDRESS")
    monkeypatch.delenv("RAY_TMPDIR")
    done = subprocess.run(
        [sys.executable, "-m", "pv", "sweep", "--executor", "ray", "--set", "address=local", "--json"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.ACCEPTED, done.stderr
    assert json.loads(done.stdout)["counts"] == {"Pass": 6}
    assert done.stderr == ""
