from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEARD = """\
import json, os, sys
from pv.reads import Reads
os.chdir(sys.argv[1])
reads = Reads(os.getcwd())
{0}
print(json.dumps(sorted(os.path.relpath(path) for path in reads.files())))
"""
FILES = ("a.txt", "tool.py", "pack/__init__.py", "pack/__main__.py", "base.db", "none.so")


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("open('a.txt')", ["a.txt"]),
        ("open(b'a.txt')", ["a.txt"]),
        ("open('a.txt', 'a')", []),
        ("os.open('a.txt', os.O_RDWR)", ["a.txt"]),
        ("open('/dev/null')", []),
        ("pid = os.fork()\nif not pid: open('a.txt'); os._exit(0)\nos.waitpid(pid, 0)", ["a.txt"]),
        ("import subprocess\nsubprocess.run([sys.executable, 'tool.py'])", ["tool.py"]),
        (
            "import subprocess\nsubprocess.run([sys.executable, '-m', 'pack'])",
            ["pack/__init__.py", "pack/__main__.py"],
        ),
        ("import subprocess\nsubprocess.run('cat a.txt; true', shell=True)", ["a.txt"]),
        ("import subprocess\nsubprocess.run('cat a.*; true', shell=True)", ["a.txt"]),
        ("import os\nos.system('cat a.* >/dev/null')", ["a.txt"]),
        ("import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'a = 2 * 3'])", []),
        ("os.system('cat a.txt')", ["a.txt"]),
        ("import sqlite3\nsqlite3.connect('base.db')", ["base.db"]),
        ("import ctypes\ntry: ctypes.CDLL('./none.so')\nexcept OSError: pass", ["none.so"]),
        ("import subprocess\nsubprocess.run(['true', 'absent.txt', '\\\\0'.join('ab')[:1]])", []),
    ],
)
def test_what_python_reads_or_hands_on_is_seen(tmp_path: Path, code: str, read: list[str]) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", encoding="ascii")
    ended = subprocess.run(
        [sys.executable, "-c", HEARD.format(code), tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert json.loads(ended.stdout) == read
