from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pv.errors import ConfigError
from pv.host import Gpu
from pv.leases import take_lease

ROOT = Path(__file__).parents[2]
ONE, TWO = Gpu("H100", "9.0", "1", 80, "GPU-aa"), Gpu("H100", "9.0", "1", 80, "GPU-ab")
HOLDER = """
    import sys, time
    from pv.host import Gpu
    from pv.leases import take_lease
    print(take_lease([Gpu("H100", "9.0", "1", 80, sys.argv[1])]).gpu.uuid, flush=True)
    time.sleep(60)
"""
SHARER = """
    import os, random, sys, time
    from pathlib import Path
    from pv.host import Gpu
    from pv.leases import take_lease
    gpus = [Gpu("H100", "9.0", "1", 80, uuid) for uuid in ("GPU-aa", "GPU-ab")]
    for _ in range(25):
        lease = take_lease(gpus)
        mine = Path(sys.argv[1], lease.gpu.uuid)
        os.close(os.open(mine, os.O_CREAT | os.O_EXCL))  # fails where another has it
        time.sleep(random.random() / 1000)
        mine.unlink()
        lease.release()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PV_LEASES", str(tmp_path / "leases"))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return tmp_path / "leases"


def program(text: str, *words: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(text), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def holding(uuid: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    with program(HOLDER, uuid, **variables) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{uuid}\n"
        try:
            yield process
        finally:
            process.kill()


def test_what_another_process_has_is_passed_over_and_comes_back_when_it_is_killed() -> None:
    with holding("GPU-aa") as other:
        second = take_lease([ONE, TWO])
        assert second.gpu == TWO
        told: list[str] = []

        def kill() -> None:
            told.append("waiting")
            other.kill()

        first = take_lease([ONE, TWO], kill)
        assert first.gpu == ONE
        assert told == ["waiting"]
    first.release()
    first.release()
    second.release()


def test_a_lease_is_not_inherited(tmp_path: Path) -> None:
    lease = take_lease([ONE])
    with subprocess.Popen(["sleep", "60"], close_fds=False, cwd=tmp_path) as child:
        lease.release()
        again = take_lease([ONE], lambda: pytest.fail("a program that was started meanwhile holds it"))
        child.kill()
    again.release()


def test_no_two_of_many_have_one_gpu(tmp_path: Path) -> None:
    others = [program(SHARER, str(tmp_path)) for _ in range(4)]
    assert [other.wait(60) for other in others] == [0, 0, 0, 0]
    for other in others:
        assert other.stdout is not None
        other.stdout.close()


def test_slurm_gives_devices_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with holding("GPU-aa"):
        monkeypatch.setenv("SLURM_JOB_ID", "7")
        ours = take_lease([ONE], lambda: pytest.fail("Slurm gave it, whoever holds it outside"))
        with holding("GPU-ab", SLURM_JOB_ID="7"):
            # Two processes of one job contend all the same.
            began = time.monotonic()
            with holding("GPU-aa", SLURM_JOB_ID="8"):
                assert take_lease([TWO, Gpu("", "9.0", "", 0, "GPU-ac")]).gpu.uuid == "GPU-ac"
            assert time.monotonic() - began < 60
        ours.release()


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    target = tmp_path / "precious"
    (folder / "GPU-aa.lock").symlink_to(target)
    with pytest.raises(ConfigError, match="cannot be opened"):
        take_lease([ONE])
    assert not target.exists()


def test_a_folder_that_is_none_is_told_of(folder: Path) -> None:
    folder.write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="PV_LEASES"):
        take_lease([ONE])
