from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

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
