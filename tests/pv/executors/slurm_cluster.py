"""A Slurm of one node on 127.0.0.1: munged, slurmctld and slurmd, from Debian's slurm-wlm, run as root.

What is requeued waits until its credential has expired, by default two minutes; here it is a few seconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Cluster", "processes_with"]

NODE = "node1"
SETTINGS = """\
ClusterName=one
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=1,bf_interval=1,requeue_setup_env_fail
MessageTimeout=5
SlurmdTimeout=20
KillWait=3
ReturnToService=1
MailProg=/bin/true
GresTypes=gpu
NodeName={node} NodeAddr=127.0.0.1 NodeHostname={host} CPUs=8 RealMemory=4000 Gres=gpu:2 Feature=big
PartitionName=main Nodes={node} Default=YES State=UP MaxTime=INFINITE PriorityTier=1
PartitionName=urgent Nodes={node} State=UP MaxTime=INFINITE PriorityTier=10
"""
PROGRAMS = {
    "munged": "munge",
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "sbatch": "slurm-wlm",
    "setpriv": "util-linux",
}


class Cluster:
    """Its daemons; :meth:`stop` ends them, and whatever they started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = f"{os.environ['PATH']}:/usr/sbin"
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        for program, package in PROGRAMS.items():
            assert shutil.which(program, path=self.path), f"{program} is missing: apt-get install {package}"
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir(parents=True)
        (folder / "munge" / "key").write_bytes(os.urandom(1024))
        (folder / "munge" / "key").chmod(0o400)
        ports = free_ports(2)
        text = SETTINGS.format(
            folder=folder,
            node=NODE,
            host=socket.gethostname().partition(".")[0],
            controller_port=ports[0],
            daemon_port=ports[1],
        )
        self.log = folder / "slurmd.log"
        self.settings = folder / "slurm.conf"
        self.settings.write_text(text, encoding="utf-8")
        # Slurm numbers GPUs by their device files, and asks no more of them than to be ones.
        for number in range(2):
            (folder / f"gpu{number}").symlink_to("/dev/null")
        gres = f"AutoDetect=off\nName=gpu File={folder}/gpu[0-1] Flags=nvidia_gpu_env\n"
        (folder / "gres.conf").write_text(gres, encoding="utf-8")

    def start(self) -> None:
        """Start everything, and wait until the node takes jobs."""
        munge = self.folder / "munge"
        files = [
            f"--{name}={munge / name.partition('-')[0]}" for name in ("key-file", "pid-file", "log-file")
        ]
        socket_ = munge / "socket"
        self._start(
            "munged", *files, f"--seed-file={munge}/seed", f"--socket={socket_}", "--foreground", "--force"
        )
        until(socket_.exists, "munged")
        self.start_controller()
        self.start_daemon()
        until(lambda: self.node() == "idle", "the node")

    def start_controller(self) -> None:
        """Start slurmctld, with the state that it had."""
        self._start("slurmctld", "-D", "-f", str(self.settings))
        until(lambda: self._answers("scontrol", "show", "node"), "slurmctld")
        if "slurmd" in self.daemons:
            self.call("scontrol", "reconfigure")  # else it takes a minute until the node is known to be there

    def start_daemon(self) -> None:
        """Start slurmd."""
        self._start("slurmd", "-D", "-f", str(self.settings), "-N", NODE)

    def kill(self, name: str) -> None:
        """Kill one daemon."""
        process = self.daemons.pop(name)
        process.kill()
        process.wait()

    def stop_controller(self) -> None:
        """End slurmctld as an administrator does; it saves its state."""
        process = self.daemons.pop("slurmctld")
        process.terminate()
        process.wait(60)

    def kill_node(self) -> None:
        """Kill slurmd, and all that it started: what a host that loses its power does."""
        self.kill("slurmd")
        self._kill_jobs()

    def resume_node(self) -> None:
        """Have the node take jobs again, if it does not by itself."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.call("scontrol", "update", f"nodename={NODE}", "state=resume")

    def stop(self) -> None:
        """End everything."""
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            self.call("scancel", f"--user={os.getuid()}")
        for name in [*reversed(self.daemons)]:
            self.kill(name)
        self._kill_jobs()

    def call(self, *words: str) -> str:
        """Run a command of Slurm, and return what it printed."""
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """Return number → state of every job that is known."""
        lines = self.call("squeue", "--states=all", "--noheader", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def node(self) -> str:
        """Return the state of the node."""
        return self.call("sinfo", "--noheader", "--format=%T", "--partition=main").strip()

    def shown(self, job: str) -> dict[str, str]:
        """Return what ``scontrol`` says of a job."""
        fields = self.call("scontrol", "show", "job", "--oneliner", job).split()
        return dict(field.split("=", 1) for field in fields if "=" in field)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which commands find this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.settings), "PATH": self.path}

    def _start(self, program: str, *words: str) -> None:
        log = (self.folder / f"{program}.out").open("ab")
        with log:
            self.daemons[program] = subprocess.Popen(
                # Killed with the tests, however those end.
                ["setpriv", "--pdeathsig", "KILL", program, *words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self, *words: str) -> bool:
        try:
            self.call(*words)
        except subprocess.SubprocessError:
            return False
        return True

    def managers(self) -> Iterator[int]:
        """Yield the processes that slurmd started to manage steps, known by the log that they write."""
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (entry / "comm").read_text().startswith("slurmstepd"):
                    files = [str(link.readlink()) for link in (entry / "fd").iterdir()]
                    if str(self.log) in files:
                        yield int(entry.name)

    def _kill_jobs(self) -> None:
        """Kill what slurmd started and left."""
        for process in self.managers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for process in processes_with(f"SLURM_CONF={self.settings}".encode(), b"SLURM_JOB_ID="):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def processes_with(*variables: bytes) -> Iterator[int]:
    """Yield the processes that were started with `variables`: each is the beginning of ``NAME=value``."""
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            given = entry.read_bytes().split(b"\0")
            if all(any(one.startswith(variable) for one in given) for variable in variables):
                yield int(entry.parent.name)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def until(holds: object, what: str, seconds: float = 30.0) -> None:
    """Wait until `holds`; fails with `what` is missing."""
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.SubprocessError):
            if holds():
                return
        time.sleep(0.1)
    raise AssertionError(f"{what} is not there after {seconds} s")
