"""Slurm's controller, as an executor needs it: submit, ask what became of jobs, cancel. Through submitit.

submitit asks ``sacct``, which a cluster without accounting storage has not; here one ``squeue`` asks for all
jobs at once, and what it no longer knows is asked of ``sacct`` where there is one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from pv.errors import ConfigError
from pv.executors.slurm_files import Attempt
from pv.executors.slurm_job import Job

__all__ = ["Queue", "RefusedError", "SlurmQueue", "State", "UnreachableError"]

_TIMEOUT_SECONDS = 60.0
_SIGNAL_SECONDS = 60
"""So long before its time is up a job hears of it; Slurm may be as much early."""
_NODES_FAULT = frozenset(("BOOT_FAIL", "NODE_FAIL", "PREEMPTED"))
_OVER = _NODES_FAULT.union(
    ("CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "OUT_OF_MEMORY", "REVOKED", "TIMEOUT")
)
_HOPELESS = {
    "launch_failed_requeued_held": True,
    "BadConstraints": False,
    "DependencyNeverSatisfied": False,
    "InvalidAccount": False,
    "InvalidQOS": False,
    "PartitionNodeLimit": False,
    "PartitionTimeLimit": False,
}
"""Reasons for which a job waits until a person does something → whether that is the node's fault."""
_LATER = re.compile(
    r"unable to contact|timed out|standby|temporarily|not responding|zero bytes|connect"
    r"|communication|authentication|transport endpoint",
    re.IGNORECASE,
)
_PASSED = ("partition", "account", "qos", "constraint", "nodelist", "exclude", "mem")
_ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "CUDA_HOME"),
    *("HF_HOME", "HF_HUB_CACHE", "TRITON_CACHE_DIR", "PV_LEASES"),
)
"""What a job gets of the engine's variables: nothing that may hold a secret."""


class UnreachableError(Exception):
    """The controller did not answer, which says nothing of any job."""


class RefusedError(Exception):
    """The controller answered, and takes no such job."""


@dataclasses.dataclass(frozen=True)
class State:
    """What Slurm says of a job: `over`, nothing more happens to it; `host`, its node is to blame."""

    name: str
    reason: str = ""
    over: bool = False
    host: bool = False
    hopeless: bool = False
    """It waits, and is not going to run."""


class Queue(Protocol):
    """Where jobs are submitted to."""

    @property
    def seconds(self) -> float:
        """How long to wait between one question for states and the next."""

    def submit(self, attempt: Attempt, job: Job, name: str, *, gpu: bool) -> str:
        """Submit `job` and return its number.

        Raises
        ------
        UnreachableError, RefusedError
            Nobody answers, or the answer is no.
        """

    def states(self, jobs: Mapping[str, str]) -> Mapping[str, State]:
        """Return the state of each of `jobs` (number → name) that is known; raises UnreachableError."""

    def cancel(self, jobs: Collection[str]) -> None:
        """Cancel those of `jobs` that are not over; raises UnreachableError."""

    def cancel_named(self, name: str) -> None:
        """Cancel jobs of that name, if there are any; raises UnreachableError."""

    def describe(self, job: str) -> str:
        """Return whatever is known of `job`, for a person; empty where nothing is."""


class SlurmQueue:
    """A :class:`Queue` of Slurm, with the settings of ``[executors.slurm]``."""

    seconds = 2.0

    def __init__(self, settings: Mapping[str, Any], root: Path) -> None:
        missing = [one for one in ("sbatch", "squeue", "scancel", "srun") if shutil.which(one) is None]
        if missing:
            raise ConfigError(
                f"there is no Slurm here: {missing[0]} is not on the PATH",
                remedy="sweep where jobs can be submitted; `--set kind=local` tries it without Slurm",
            )
        self._settings = settings
        self._root = root

    def submit(self, attempt: Attempt, job: Job, name: str, *, gpu: bool) -> str:
        """Submit `job`, a process of its own for submitit."""
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        python = self._settings.get("python", sys.executable)
        executor = SlurmExecutor(attempt.path, max_num_timeout=0, python=f"{shlex.quote(python)} -P")
        executor.update_parameters(**self._parameters(name, job.minutes, gpu=gpu))
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what it raises
                return str(executor.submit(job).job_id)
        except (FailedJobError, FailedSubmissionError) as error:
            said = str(error).strip()
            raise (UnreachableError if not said or _LATER.search(said) else RefusedError)(said) from error
        except OSError as error:
            raise UnreachableError(str(error)) from error

    def states(self, jobs: Mapping[str, str]) -> Mapping[str, State]:
        """Ask for all jobs of this user, whichever are ours, in one question.

        A controller that lost what it had not saved gives numbers a second time, so names count, too.
        """
        text = _ask("squeue", "--me", "--states=all", "--noheader", "--format=%i|%j|%T|%r")
        lines = [line.split("|", 3) for line in text.splitlines()]
        return {
            number: _state(state, reason)
            for number, name, state, reason in (line for line in lines if len(line) == 4)
            if jobs.get(number) == name
        }

    def cancel(self, jobs: Collection[str]) -> None:
        """Cancel those that are not over."""
        _ask("scancel", "--quiet", *jobs, fails=False)

    def cancel_named(self, name: str) -> None:
        """Cancel by name."""
        _ask("scancel", "--quiet", f"--user={os.getuid()}", f"--name={name}", fails=False)

    def describe(self, job: str) -> str:
        """Return what ``scontrol`` knows, or else ``sacct``."""
        account = ("sacct", "--jobs", job, "--allocations", "--format=JobID,State,ExitCode,Reason,NodeList")
        for words in (("scontrol", "show", "job", "--oneliner", job), account):
            with contextlib.suppress(UnreachableError):
                text = _ask(*words)
                kept = "JobId JobName JobState Reason Restarts ExitCode RunTime TimeLimit NodeList BatchHost"
                fields = [field for field in text.split() if field.partition("=")[0] in kept.split()]
                return " ".join(fields) if fields else text.strip()
        return ""

    def _parameters(self, name: str, minutes: int, *, gpu: bool) -> dict[str, Any]:
        given = self._settings
        passed = {key: given[key] for key in _PASSED if key in given}
        step = ["--export=ALL"]  # of the script's, which has nothing but what stands in it
        if "cpus" in given:
            passed["cpus_per_task"] = given["cpus"]
            step.append(f"--cpus-per-task={given['cpus']}")  # not passed on since Slurm 22.05
        if gpu:
            passed["gres"] = given.get("gres", "gpu:1")
        return {
            **passed,
            "job_name": name,
            "time": minutes,
            "signal_delay_s": min(_SIGNAL_SECONDS, minutes * 15),
            "wckey": None,
            "setup": [f"export {key}={shlex.quote(value)}" for key, value in self._environment().items()],
            "srun_args": step,
            "additional_parameters": {"export": "NIL", "requeue": True, "chdir": str(self._root)},
        }

    def _environment(self) -> dict[str, str]:
        kept = {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}
        if "python" not in self._settings:
            # The interpreter is ours, so its libraries are, and we may run from a checkout.
            kept["PYTHONPATH"] = engine_path()
        return kept


def engine_path() -> str:
    """Return the PYTHONPATH by which this engine is found."""
    here = str(Path(__file__).resolve().parents[2])
    others = os.environ.get("PYTHONPATH")
    return f"{here}{os.pathsep}{others}" if others else here


def _state(name: str, reason: str) -> State:
    # Some reasons are printed in words, and which ones differs by version.
    hopeless = _HOPELESS.get(reason.replace(" ", "_")) if name == "PENDING" else None
    if hopeless is not None:
        return State(name, reason, host=hopeless, hopeless=True)
    return State(name, "" if reason == "None" else reason, over=name in _OVER, host=name in _NODES_FAULT)


def _ask(*words: str, fails: bool = True) -> str:
    """Run a command of Slurm; raises UnreachableError where it fails, or if not `fails`, has no answer."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
            start_new_session=True,  # an interrupt is the engine's to handle
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreachableError(f"{words[0]}: {error}") from error
    if done.returncode and (fails or _LATER.search(done.stderr)):
        raise UnreachableError(done.stderr.strip())
    return done.stdout
