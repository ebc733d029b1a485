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
from pv_runtime.formats.checkpoint import TensorInfo
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.formats.safetensors import write_safetensors

TOUCH = """
import os, sys, threading
from pv_runtime.bus_error import said_in_words
from pv_runtime.formats import open_bytes
path, how = sys.argv[1:]
source = open_bytes(path)
view = source.read(0, 1 << 20)
os.truncate(path, 10)
if how == "outside":
    with said_in_words(3):
        pass
    view.sum()
with said_in_words(3):
    if how == "thread":
        thread = threading.Thread(target=view.sum)
        thread.start()
        thread.join()
    else:
        view.sum()
print("not reached")
"""


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("here", 3, "x: was cut short while it was read\n    read it again\n"),
        ("thread", 3, "x: was cut short while it was read\n    read it again\n"),
        ("outside", -signal.SIGBUS, ""),
    ],
)
def test_a_page_that_is_gone(how: str, code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(1 << 20))
    command = [sys.executable, "-c", TOUCH, str(tmp_path / "x"), how]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == (f"error: {tmp_path}/{said}" if said else "")


CUT = """
import os, sys
from pv_runtime.bus_error import said_in_words
from pv_runtime.formats import open_checkpoint
path = sys.argv[1]
model = open_checkpoint(path)
values = model.raw("a")
os.truncate(path, 4096)
with said_in_words(3):
    values.sum()
print("not reached")
"""


@pytest.mark.parametrize("form", ["safetensors", "gguf", "apr"])
def test_a_checkpoint_that_is_cut_off_while_it_is_mapped(form: str, tmp_path: Path) -> None:
    values = np.zeros(1 << 20, np.uint8)
    tensors = [(TensorInfo("a", "F32", (1 << 18,), 1 << 20), lambda: values)]
    path = str(tmp_path / f"x.{form}")
    if form == "gguf":
        write_gguf(path, tensors, {"general.architecture": "llama"})
    elif form == "apr":
        write_apr(path, tensors, {})
    else:
        write_safetensors(path, tensors)
    command = [sys.executable, "-c", CUT, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"error: {path}: was cut short while it was read\n    read it again\n"


COMMAND = """
import os, sys
from pv_runtime import cli, weight_statistics
from pv_runtime.formats.table import TableCheckpoint
raw = TableCheckpoint.raw
def cut(self, name):
    found = raw(self, name)
    os.truncate(self.path, 100)
    return found
TableCheckpoint.raw = cut
sys.exit(cli.main(["inspect", "--weights", sys.argv[1]]))
"""


def test_a_command_whose_file_is_cut_off_says_so_and_rejects_it(tmp_path: Path) -> None:
    """The view was handed out when the file was whole: its pages are gone when they are touched."""
    path = tmp_path / "model.safetensors"
    size = 1 << 22
    header = json.dumps({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    command = [sys.executable, "-c", COMMAND, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith(": was cut short while it was read\n    read it again\n")
