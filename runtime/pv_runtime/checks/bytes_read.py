"""What reading one tensor reads of its file, as the system counts it."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.quant.scheme import Floats

__all__ = ["bytes_read"]

Read = Callable[[Checkpoint, str], Floats]
_PROCESS = Path("/proc/self")


@check(
    metrics=[
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("file_size", unit="B", kind="count"),
        Metric("beyond", unit="B", kind="count"),
        Metric("read_in_all", unit="B", kind="count"),
    ]
)
def bytes_read(run: Run, *, model: Checkpoint) -> None:
    """Open the file anew for each tensor, and see how many bytes of it come into memory to read that one.

    They are those that calls of the system return (``rchar`` of /proc/self/io) and those of its pages that
    are mapped and there (/proc/self/pagemap); the header, which opening reads, is not among them. `beyond` is
    how many more than the tensor has.

    Notes
    -----
    Linux maps more than the page that is touched (``fault_around_bytes``, and whole folios of its cache), so
    a tensor brings some of its neighbours. What is counted: https://docs.kernel.org/filesystems/proc.html.
    """
    read: Read = run.role("read", lambda file, name: file.tensor(name))
    names = model.names()
    path = Path(model.path)
    where = path / "model.safetensors" if path.is_dir() else path
    run.record("file_size", where.stat().st_size)
    run.record("expected_tensors", len(names))
    total = 0
    for name in run.progress(names, len(names), label=str):
        file = open_checkpoint(model.path)
        # In this order: to look at pages is to call the system, too.
        mapped, called = _mapped(where), _called()
        values = read(file, name)
        found = _called() - called + _mapped(where) - mapped
        del values, file
        total += found
        run.record("beyond", max(0, found - model.info(name).nbytes), label=name)
    run.record("read_in_all", total)


def _called() -> int:
    """Return the bytes that calls of the system have returned to this process."""
    lines = (_PROCESS / "io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("rchar:")).split()[1])


def _mapped(path: Path) -> int:
    """Return the bytes of `path` that are mapped into this process and in memory.

    Of each page there are eight bytes in pagemap, of which the highest bit says whether it is there.
    """
    name, pages = str(path.resolve()), 0
    with (_PROCESS / "pagemap").open("rb", buffering=0) as file:
        for line in (_PROCESS / "maps").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.endswith(name):
                start, end = (int(word, 16) // mmap.PAGESIZE for word in line.split(" ", 1)[0].split("-"))
                file.seek(8 * start)
                entries = np.frombuffer(file.read(8 * (end - start)), dtype="<u8")
                pages += int(np.count_nonzero(entries >> np.uint64(63)))
    return pages * mmap.PAGESIZE


@bytes_read.counter_example("whole_file_for_each_tensor", of="read")
def whole_file_for_each_tensor(read: Read) -> Read:
    """Read the file from end to end whenever a tensor is asked for."""

    def reading(file: Checkpoint, name: str) -> Floats:
        path = Path(file.path)
        (path / "model.safetensors" if path.is_dir() else path).read_bytes()
        return read(file, name)

    return reading


@bytes_read.counter_example("all_pages_for_each_tensor", of="read")
def all_pages_for_each_tensor(read: Read) -> Read:
    """Touch every tensor on the way to one: no call of the system, and every page of the file."""

    def reading(file: Checkpoint, name: str) -> Floats:
        for other in file.names():
            file.raw(other).max(initial=0)
        return read(file, name)

    return reading
