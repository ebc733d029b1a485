"""What this machine is: recorded in evidence, asked before a level that needs a GPU is judged."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Gpu", "describe", "gpu_satisfies", "gpus", "versions"]


@dataclasses.dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU as its driver reports it; capability as ``"9.0"``, memory in MiB.

    `uuid` tells it from every other; it is what CUDA_VISIBLE_DEVICES takes, and never part of evidence.
    """

    name: str
    capability: str
    driver: str
    memory_mib: int
    uuid: str = ""

    @property
    def tag(self) -> str:
        """The device part of a record's name, such as ``cuda-sm90``."""
        return f"cuda-sm{self.capability.replace('.', '')}"


@cache
def gpus() -> tuple[Gpu, ...]:
    """Ask ``nvidia-smi``; none where it is not there or does not answer.

    Where CUDA_VISIBLE_DEVICES says which of them are ours, those alone, in its order: a scheduler that gave
    us two of eight did so by that variable.
    """
    answer = _nvidia_smi(
        "--query-gpu=name,compute_cap,driver_version,memory.total,uuid", "--format=csv,noheader,nounits"
    )
    found = []
    for line in answer.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 5 and re.fullmatch(r"\d+\.\d+", fields[1]) and fields[3].isdigit():
            found.append(Gpu(fields[0], fields[1], fields[2], int(fields[3]), fields[4]))
    stated = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(found if stated is None else _visible(stated, found))


def _visible(stated: str, every: Sequence[Gpu]) -> Iterator[Gpu]:
    """Yield those of `every` that `stated` names: by number, UUID or its beginning, or an instance.

    As CUDA does, it stops at the first word that names none.
    """
    for word in (part.strip() for part in stated.split(",")):
        if word.isdigit():
            named = list(every[int(word) : int(word) + 1])
        elif word.startswith("MIG-"):
            owner = _owner_of_instance(word)
            named = [dataclasses.replace(gpu, uuid=word) for gpu in every if gpu.uuid == owner]
        else:
            named = [gpu for gpu in every if word and gpu.uuid.startswith(word)]
        if len(named) != 1:
            return
        yield named[0]


def _owner_of_instance(instance: str) -> str:
    """Return the UUID of the GPU that `instance` (of its multi-instance mode) is part of; empty if none."""
    owner = ""
    for line in _nvidia_smi("-L").splitlines():
        if match := re.search(r"UUID: ((?:GPU|MIG)-[\w/-]+)", line):
            if match[1].startswith("GPU-"):
                owner = match[1]
            elif match[1] == instance:
                return owner
    return ""


def _nvidia_smi(*words: str) -> str:
    import subprocess  # late: `pv validate` asks for no GPU, and waits for every import

    query = ["nvidia-smi", *words]
    try:
        return subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def gpu_satisfies(need: str, capability: str) -> bool:
    """Tell whether a GPU of `capability` meets `need` (``"any"``, ``">=8.9"``, ``"==9.0"``)."""
    if need == "any":
        return True
    wanted = tuple(int(part) for part in need[2:].strip().split("."))
    have = tuple(int(part) for part in capability.split("."))
    return have == wanted if need.startswith("==") else have >= wanted


def describe() -> dict[str, Any]:
    """Describe the host without naming it: no host name, no user, no path."""
    import platform  # here, because `pv validate` needs this module but not this function

    return {
        "class": f"{platform.system()}-{platform.machine()}".lower(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        # Sums are taken in another order by another number, and differ in their last bits.
        "threads": _threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        # Not which ones: a serial number would name the host.
        "gpus": [{key: value for key, value in vars(gpu).items() if key != "uuid"} for gpu in gpus()],
    }


def _threads() -> int:
    """Return how many threads a run has: those that the environment states, or one for each core."""
    stated = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(stated) if stated.isdecimal() and int(stated) else len(os.sched_getaffinity(0))


def versions(modules: Iterable[str]) -> dict[str, str]:
    """Return the installed versions of the distributions behind top-level `modules`."""
    owners = _owners()
    found = {}
    for module in sorted({name.split(".")[0] for name in modules}):
        for distribution in owners.get(module, ()):
            found[distribution] = _version(distribution)
    return found


@cache
def _version(distribution: str) -> str:
    import importlib.metadata

    return importlib.metadata.version(distribution)


@cache
def _owners() -> Mapping[str, Sequence[str]]:
    """Return module → distributions; to find them, every file of every one is listed."""
    import importlib.metadata  # here, because `pv validate` needs this module but not this function

    return importlib.metadata.packages_distributions()


@cache
def _cpu_model() -> str:
    import platform

    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return platform.processor() or "unknown"
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else (platform.processor() or "unknown")
