from __future__ import annotations

import signal
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
