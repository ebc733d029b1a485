"""Our search for block formats beside ggml's own, on one core, in million elements a second.

The peer is `ggml_quantize_chunk` in the library that llama-cpp-python brings; without it ours alone is
printed. Runs alternate, and the best of each is taken. The relative L2 errors stand beside the speeds.
"""

from __future__ import annotations

import ctypes
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pv_runtime.compare import relative_rmse
from pv_runtime.quant.scheme import Bytes, Floats
from pv_runtime.quant.search import searched

ELEMENTS = 1 << 21
ROUNDS = 5
NUMBERS = {"Q4_K": 12, "Q5_K": 13, "Q6_K": 14, "Q8_0": 8}


def peer() -> Callable[[str, Floats], Bytes] | None:
    """Return ggml's quantiser, if it is installed."""
    found = importlib.util.find_spec("llama_cpp")
    if found is None or found.origin is None:
        return None
    function = ctypes.CDLL(str(Path(found.origin).parent / "lib" / "libggml-base.so")).ggml_quantize_chunk
    function.restype = ctypes.c_size_t
    function.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3, ctypes.c_void_p]

    def quantise(scheme: str, values: Floats) -> Bytes:
        form = searched(scheme)
        out = np.empty(values.size // form.block_elements * form.block_bytes, np.uint8)
        rows = values.size // 256
        function(NUMBERS[scheme], values.ctypes.data, out.ctypes.data, 0, rows, 256, None)
        return out

    return quantise


def timed(work: Callable[[], Bytes]) -> tuple[float, Bytes]:
    """Run once; return the seconds of this process's own time, which others on the machine disturb least."""
    started = time.process_time()
    made = work()
    return time.process_time() - started, made


def main() -> None:
    """Time each format and print the table."""
    values = np.random.default_rng(0).standard_normal(ELEMENTS, dtype=np.float32) * np.float32(0.02)
    theirs = peer()
    print("scheme     ours     ggml   ratio   error ours    error ggml")
    for scheme in NUMBERS:
        form = searched(scheme)
        form.quantise(values[:4096])  # compiles, or loads what was compiled
        ours, others = [], []
        for _ in range(ROUNDS):
            ours.append(timed(lambda: form.quantise(values)))  # noqa: B023 - called at once
            if theirs:
                others.append(timed(lambda: theirs(scheme, values)))  # noqa: B023
        rate = ELEMENTS / 1e6 / min(ours, key=lambda run: run[0])[0]
        error = relative_rmse(values, form.dequantise(ours[0][1]))
        if not others:
            print(f"{scheme:<6} {rate:8.1f}        -       -   {error:10.6f}             -")
            continue
        peers = ELEMENTS / 1e6 / min(others, key=lambda run: run[0])[0]
        theirs_error = relative_rmse(values, form.dequantise(others[0][1]))
        speeds = f"{rate:8.1f} {peers:8.1f} {rate / peers:7.2f}"
        print(f"{scheme:<6} {speeds}   {error:10.6f}    {theirs_error:10.6f}")


if __name__ == "__main__":
    main()
