"""A pair of 7B's shape, larger than many memories: fp16 (15.2 GB) beside Q4_K (4.3 GB), compared whole.

Tensors, names and shapes are those of Qwen2.5 7B: 7 615 616 512 parameters. Their values repeat some random
millions, each tensor from another place on. ``read`` is the ceiling: reading both files, 1 MiB at a time, and
doing nothing with them. Before each run the system is made to forget the files; runs alternate, since a disk
varies. The files are deleted in the end; 20 GB of room are needed, and some minutes.
``--layers 1`` makes a smaller pair. To be run as ``python -m benchmarks.seven_billion``.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from pv_runtime.compare_tensors import compare_all
from pv_runtime.formats import TensorInfo, open_checkpoint
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes

from benchmarks.compare import anonymous_peak, forget, pairs, read

LAYERS = 28
POOL = 1 << 26
BLOCK = 256
ALLOWED = 1.4
"""How many times as long as reading both files the comparison may take."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Widths of a decoder of Qwen2's family, multiples of 256: those of 7B unless others are given."""

    hidden: int = 3584
    keys: int = 512
    inner: int = 18944
    vocabulary: int = 152064


SEVEN = Sizes()


def shapes(layers: int, sizes: Sizes = SEVEN) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name every tensor and its shape."""
    hidden, keys, inner = sizes.hidden, sizes.keys, sizes.inner
    yield "model.embed_tokens.weight", (sizes.vocabulary, hidden)
    for n in range(layers):
        layer = f"model.layers.{n}"
        for name, rows in (("q", hidden), ("k", keys), ("v", keys)):
            yield f"{layer}.self_attn.{name}_proj.weight", (rows, hidden)
            yield f"{layer}.self_attn.{name}_proj.bias", (rows,)
        yield f"{layer}.self_attn.o_proj.weight", (hidden, hidden)
        yield f"{layer}.mlp.gate_proj.weight", (inner, hidden)
        yield f"{layer}.mlp.up_proj.weight", (inner, hidden)
        yield f"{layer}.mlp.down_proj.weight", (hidden, inner)
        yield f"{layer}.input_layernorm.weight", (hidden,)
        yield f"{layer}.post_attention_layernorm.weight", (hidden,)
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (sizes.vocabulary, hidden)


Tensors = list[tuple[TensorInfo, Callable[[], Bytes]]]
Way = Callable[[str, tuple[int, ...]], tuple[str, str]]
"""From the name and the shape of a tensor to the name and the type that it has in a file."""


def tensors(layers: int, sizes: Sizes, *ways: Way) -> list[Tensors]:
    """Return the tensors as each of `ways` has them in a file, all made from the same values."""
    values = np.random.default_rng(0).standard_normal(POOL, dtype=np.float32) * np.float32(0.02)
    half = values.astype(np.float16)
    values = half.astype(np.float32)
    packed = SCHEMES["Q4_K"].quantise(values).reshape(POOL // BLOCK, -1)
    blocks = {"F16": half.view(np.uint8).reshape(POOL // BLOCK, -1), "Q4_K": packed}
    blocks["F32"] = values.view(np.uint8).reshape(POOL // BLOCK, -1)

    def tensor(
        n: int, shape: tuple[int, ...], name: str, dtype: str
    ) -> tuple[TensorInfo, Callable[[], Bytes]]:
        count = int(np.prod(shape)) // BLOCK
        pool, first = blocks[dtype], n * 7919 % (POOL // BLOCK)

        def raw() -> Bytes:
            out = np.empty((count, pool.shape[1]), np.uint8)
            done = 0
            while done < count:
                start = (first + done) % len(pool)
                step = min(count - done, len(pool) - start)
                out[done : done + step] = pool[start : start + step]
                done += step
            return out.reshape(-1)

        return TensorInfo(name, dtype, shape, count * pool.shape[1]), raw

    listed = list(enumerate(shapes(layers, sizes)))
    return [[tensor(n, shape, *way(name, shape)) for n, (name, shape) in listed] for way in ways]


def quantised(name: str, shape: tuple[int, ...]) -> tuple[str, str]:
    """Matrices are Q4_K, vectors F32."""
    return name, "Q4_K" if len(shape) == 2 else "F32"


def make(folder: Path, layers: int) -> tuple[Path, Path]:
    """Write both files: matrices are Q4_K in the second, vectors F32."""
    halves, packed = tensors(layers, SEVEN, lambda name, _: (name, "F16"), quantised)
    a, b = folder / "model.safetensors", folder / "model.gguf"
    write_safetensors(str(a), halves)
    write_gguf(str(b), packed, {"general.architecture": "qwen2", "qwen2.block_count": layers})
    return a, b


def seconds(work: Callable[[], object]) -> float:
    """Return what some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Make the pair, compare it cold, print, and delete it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--folder", default=None, help="where the files are made (default: the system's)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        room = shutil.disk_usage(folder).free
        needed = sum(int(np.prod(shape)) for _, shape in shapes(arguments.layers)) * 2.6
        if room < 1.2 * needed:
            raise SystemExit(f"{needed / 1e9:.0f} GB are needed in {folder}, {room / 1e9:.0f} GB are free")
        a, b = make(Path(folder), arguments.layers)
        measure(a, b, arguments.runs)


def measure(a: Path, b: Path, runs: int) -> None:
    """Compare two files, cold, and print what it took beside reading them."""
    listed = pairs(open_checkpoint(a), open_checkpoint(b))
    elements = sum(pair.a.elements for pair in listed)
    sizes = a.stat().st_size, b.stat().st_size
    cores = len(os.sched_getaffinity(0))
    print(f"{len(listed)} tensors, {elements:,} elements, {sizes[0] / 1e9:.1f} + {sizes[1] / 1e9:.1f} GB")
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f}")
    list(compare_all(listed[-2:-1], threads=1))  # compiles
    readings, comparisons = [], []
    for _ in range(runs):
        forget(a, b)
        spent_reading = time.process_time()
        reading = seconds(lambda: read(a, b))
        spent_reading = time.process_time() - spent_reading
        forget(a, b)
        spent = time.process_time()
        with anonymous_peak() as peak:
            comparing = seconds(lambda: list(compare_all(listed, threads=cores)))
        spent = time.process_time() - spent
        readings.append(reading)
        comparisons.append(comparing)
        print(
            f"read {reading:.1f} s ({sum(sizes) / reading / 1e9:.2f} GB/s, {spent_reading:.1f} s of CPU), "
            f"compare {comparing:.1f} s: "
            f"{elements / comparing / 1e6:.0f} million elements a second, {spent:.1f} s of the CPU; "
            f"{comparing / reading:.2f} x read, {peak[0] / 1e6:.0f} MB anonymous",
            flush=True,
        )
    print(f"best beside best: {min(comparisons) / min(readings):.2f} x read; at most {ALLOWED} wanted")


if __name__ == "__main__":
    main()
