"""The fused comparison at the scale of a 0.5B model, beside the machine's own ceilings and a peer.

Two files of 494 million random parameters, fp16 and a block format, are made in a temporary folder.
``read`` is the ceiling: reading both files whole, 1 MiB at a time, and doing nothing with them. The
peer is `gguf.quants` with numpy. The best of some runs is printed, since others may use the machine;
``a core`` is the rate in seconds of this process's own time, which they disturb least, on one thread and
on all: where both are equal, threads cost nothing.
``--scale 0.1`` takes a tenth of the parameters.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, quants
from pv_runtime.compare_tensors import Pair, compare_all
from pv_runtime.formats import Checkpoint, TensorInfo, open_checkpoint
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes

SHAPE = (4096, 1024)
TENSORS = 118
SCHEMES_COMPARED = ("Q4_K", "Q6_K", "Q8_0")
RUNS = 5
COLD_RUNS = 3
WANTED = "Q4_K on all of two cores 2000, 80 x the peer, cold 1.4 x read, 400 MB"


def best(
    work: Callable[[], object], runs: int = RUNS, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the shortest of some runs, in seconds of `clock`."""
    taken = []
    for _ in range(runs):
        started = clock()
        work()
        taken.append(clock() - started)
    return min(taken)


def make(folder: Path, tensors: int) -> dict[str, Path]:
    """Write the fp16 file and one file a block format; tensor n has the rows of the first, turned by n."""
    elements = SHAPE[0] * SHAPE[1]
    values = np.random.default_rng(0).standard_normal(elements, dtype=np.float32) * np.float32(0.02)
    half = values.astype(np.float16)
    made = {"F16": folder / "model.safetensors"}

    def turned(raw: Bytes, n: int) -> Bytes:
        return np.roll(raw.reshape(SHAPE[0], -1), n, axis=0).reshape(-1)

    names = [f"t{n:03}.weight" for n in range(tensors)]
    info = [TensorInfo(name, "F16", SHAPE, 2 * elements) for name in names]
    raw = half.view(np.uint8)
    write_safetensors(
        str(made["F16"]),
        [(each, lambda n=n: turned(raw, n)) for n, each in enumerate(info)],  # type: ignore[misc]
    )
    for scheme in SCHEMES_COMPARED:
        packed = SCHEMES[scheme].quantise(half.astype(np.float32))
        made[scheme] = folder / f"{scheme}.gguf"
        info = [TensorInfo(name, scheme, SHAPE, packed.nbytes) for name in names]
        write_gguf(
            str(made[scheme]),
            [(each, lambda n=n, packed=packed: turned(packed, n)) for n, each in enumerate(info)],  # type: ignore[misc]
            {"general.architecture": "none", "general.alignment": 32},
        )
    return made


def pairs(a: Checkpoint, b: Checkpoint) -> list[Pair]:
    """Return every tensor of both."""
    return [
        Pair(a.info(name), b.info(name), lambda name=name: a.raw(name), lambda name=name: b.raw(name))  # type: ignore[misc]
        for name in a.names()
    ]


def read(*paths: Path) -> None:
    """Read files whole and do nothing with them."""
    buffer = bytearray(1 << 20)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def forget(*paths: Path) -> None:
    """Have the system drop files from its cache."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def peer(pair: Pair) -> None:
    """Compute the same figures with `gguf.quants` and numpy, in float64."""
    raw, packed = pair.raw_a(), pair.raw_b()
    x = raw.view(np.float16).astype(np.float64)
    y = quants.dequantize(packed, GGMLQuantizationType[pair.b.dtype]).astype(np.float64)
    difference = x - y
    apart = np.abs(difference)
    _ = x @ x, y @ y, x @ y, difference @ difference, apart.sum(), apart.argmax(), apart.max()
    _ = np.isfinite(x).all(), np.isfinite(y).all()
    narrow = y.astype(np.float16)
    equal = narrow.view(np.uint16) == raw.view(np.uint16)
    _ = (
        equal.sum(),
        (~equal.reshape(-1, SCHEMES[pair.b.dtype].block_elements).all(axis=1)).sum(),
        (x == y).sum(),
    )


@contextlib.contextmanager
def anonymous_peak() -> Iterator[list[int]]:
    """Watch this process's anonymous memory; the list receives its largest size in bytes."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
                if line.startswith("RssAnon:"):
                    peak[0] = max(peak[0], int(line.split()[1]) * 1024)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def main() -> None:
    """Make the files, measure, print, and delete them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="parameters as a part of 494 million")
    parser.add_argument("--folder", default=None, help="where the files are made (default: the system's)")
    arguments = parser.parse_args()
    tensors = max(2, round(TENSORS * arguments.scale))
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        made = make(Path(folder), tensors)
        million = tensors * SHAPE[0] * SHAPE[1] / 1e6
        print(f"{million:.0f} million parameters a side, fp16 beside each; {cores} cores")
        print(f"load before the runs: {os.getloadavg()[0]:.1f}\n")
        print(
            "        1 thread  all cores   a core: 1, all   peer  x peer   x read: warm  cold   anonymous MB"
        )
        for scheme in SCHEMES_COMPARED:
            print(row(made["F16"], made[scheme], scheme, million, cores), flush=True)
        print(f"\nwanted: {WANTED}")


def row(half: Path, packed: Path, scheme: str, million: float, cores: int) -> str:
    """Measure one format; rates are in million elements a second."""
    listed = pairs(open_checkpoint(half), open_checkpoint(packed))
    list(compare_all(listed[:1], threads=1))  # compiles, or loads what was compiled
    one = best(lambda: list(compare_all(listed, threads=1)))
    spent = [
        best(lambda n=n: list(compare_all(listed, threads=n)), clock=time.process_time)  # type: ignore[misc]
        for n in (1, cores)
    ]
    with anonymous_peak() as peak:
        every = best(lambda: list(compare_all(listed, threads=cores)))
    reading = best(lambda: read(half, packed))
    theirs = best(lambda: peer(listed[0]), runs=2) / (listed[0].a.elements / 1e6)
    cold_reading = cold = float("inf")
    for _ in range(COLD_RUNS):  # by turns, since the speed of a disk varies
        forget(half, packed)
        cold_reading = min(cold_reading, best(lambda: read(half, packed), runs=1))
        forget(half, packed)
        cold = min(cold, best(lambda: list(compare_all(listed, threads=cores)), runs=1))
    rates = (
        f"{million / one:9.0f} {million / every:10.0f} {million / spent[0]:9.0f} {million / spent[1]:6.0f}"
    )
    against = f"{1 / theirs:6.0f} {million / every * theirs:7.0f}"
    reads = f"{every / reading:14.2f} {cold / cold_reading:5.2f}"
    return f"{scheme:<6} {rates} {against} {reads} {peak[0] / 1e6:14.0f}"


if __name__ == "__main__":
    main()
