"""Files that are cut short while they are read: an error with a name, and never a signal."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pv_runtime.formats.apr_writer import write_apr
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors

WORDS = [f"a token of some length {number}" for number in range(60_000)]

READ = """
import json, os, sys
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
path, pread = sys.argv[1], os.pread
whole, endings, calls, cut = open(path, "rb").read(), [], 0, 0
def shrinking(*arguments):
    global calls
    calls += 1
    if calls == cut:
        os.truncate(path, 10)
    return pread(*arguments)
os.pread = shrinking
while calls >= cut:  # before the first call, the second one, and so on to the last
    calls, cut = 0, cut + 1
    try:
        model = open_checkpoint(path)
        for value in model.metadata.values():
            isinstance(value, str) or list(value)
        endings.append("read")
    except LoadError as error:
        assert path in str(error)
        endings.append("cut")
    with open(path, "r+b") as file:
        file.write(whole)
print(json.dumps(endings))
"""

BETWEEN = """
import os, sys
from pv_runtime.errors import LoadError
from pv_runtime.formats import gguf, open_checkpoint
read = gguf.read_value
def shrinking(cursor, key):
    os.truncate(sys.argv[1], 40)
    return read(cursor, key)
gguf.read_value = shrinking
try:
    open_checkpoint(sys.argv[1])
except LoadError as error:
    print(error)
"""


def child(code: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode != -signal.SIGBUS, "the page that was cut off ended the process"
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(form: str, path: Path) -> None:
    tensor = from_values("model.norm.weight", (64,), lambda: np.ones(64, np.float32), "F32")
    pairs = [(tensor.info, tensor.raw)]
    if form == "gguf":
        write_gguf(str(path), pairs, {"tokenizer.ggml.tokens": WORDS})
    elif form == "apr":
        write_apr(str(path), pairs, {"tokenizer.vocabulary": WORDS})
    else:
        write_safetensors(str(path), pairs, {"words": json.dumps(WORDS)})


@pytest.mark.parametrize("form", ["gguf", "apr", "safetensors"])
def test_a_header_that_is_cut_off_while_it_is_walked(form: str, tmp_path: Path) -> None:
    """Before each of the reads in turn; a table of 60 000 words takes several."""
    write(form, tmp_path / "x")
    endings = json.loads(child(READ, str(tmp_path / "x")))
    assert len(endings) > 3
    assert endings == ["cut"] * (len(endings) - 1) + ["read"]


def test_between_two_keys(tmp_path: Path) -> None:
    """Three keys, each of pages of its own; the file is cut after the first one's name was read."""
    text = struct.pack("<Q", 1 << 17) + bytes(1 << 17)
    keys = b"".join(struct.pack("<Q", 1) + name + struct.pack("<I", 8) + text for name in (b"a", b"b", b"c"))
    (tmp_path / "x").write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, 3) + keys)
    assert "was truncated while it was open" in child(BETWEEN, str(tmp_path / "x"))
