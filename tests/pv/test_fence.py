from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCED = """\
import json, os, sys
from pv.fence import Fence
os.chdir(sys.argv[1])
Fence(os.path.join(os.getcwd(), "project"), os.path.join(os.getcwd(), "scratch"), network=len(sys.argv) > 2)
sys.path.insert(0, os.path.join(os.getcwd(), "project"))
import tried
print(json.dumps([tried.said(code) for code in json.load(sys.stdin)]))
"""
TRIED = """\
import ctypes, os, pathlib, shutil, socket, sqlite3, tempfile

def said(code):
    here = os.getcwd()
    try:
        exec(compile(code, __file__, "exec"), globals())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        os.chdir(here)
    return ""
"""


def fenced(folder: Path, codes: Sequence[str], *words: str) -> list[str]:
    """Run each of `codes` as project code within one fence; return what each raised."""
    for name in ("project", "scratch", "elsewhere", "cache", "scratch/full"):
        (folder / name).mkdir()
    for name in ("project/there.txt", "elsewhere/there.txt", "scratch/full/there.txt"):
        (folder / name).write_text("as it was", encoding="ascii")
    (folder / "project/tried.py").write_text(TRIED, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", FENCED, folder, *words],
        input=json.dumps(codes),
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: list[str] = json.loads(ended.stdout)
    return found


UNIX = """
one, other = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
one.bind("s")
one.listen()
other.connect("s")
"""
LEAVES = (
    "open('elsewhere/new.txt', 'w')",
    "open('project/there.txt', 'a')",
    "pathlib.Path('elsewhere/new.txt').write_text('x')",
    "pathlib.Path('elsewhere/there.txt').unlink()",
    "os.open('elsewhere/new.txt', os.O_CREAT | os.O_RDWR)",
    "os.mkdir('elsewhere/new')",
    "os.mkdir('new', dir_fd=os.open('elsewhere', os.O_RDONLY))",
    "os.rename('scratch/full/there.txt', 'elsewhere/new.txt')",
    "os.symlink('there.txt', 'elsewhere/new.txt')",
    "os.link('elsewhere/there.txt', 'elsewhere/new.txt')",
    "os.utime('elsewhere/there.txt', (1, 1))",
    "shutil.copy('elsewhere/there.txt', 'elsewhere/new.txt')",
    "tempfile.mkdtemp(dir='elsewhere')",
    "sqlite3.connect('elsewhere/new.db')",
    'exec(\'open("elsewhere/new.txt", "w")\')',
    "os.chdir('elsewhere'); open('new.txt', 'w')",
    "open('scratch/../elsewhere/new.txt', 'w')",
)
LEAVES_NOTHING = (
    "open('scratch/new.txt', 'w')",
    "open('elsewhere/there.txt')",
    "open('/dev/null', 'w')",
    "shutil.rmtree('scratch/full')",
    "os.mkdir('scratch/new', dir_fd=os.open('.', os.O_RDONLY))",
    "os.makedirs('cache/deep/er', exist_ok=True); open('cache/deep/er/x', 'w')",
    "os.makedirs('elsewhere', exist_ok=True)",
    "tempfile.TemporaryFile(dir='elsewhere').write(b'gone with the process')",
    "ends = os.pipe(); os.fdopen(ends[1], 'w').write('x')",
    "import logging.config",
    "ctypes.CDLL(None).getpid()",
)
HERE = (
    "server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname())",
    "server = socket.create_server(('localhost', 0)); socket.create_connection(server.getsockname())",
    UNIX,
)


def test_what_project_code_would_leave_behind_is_refused_before_it_is_done(tmp_path: Path) -> None:
    for code, said in zip(LEAVES, fenced(tmp_path, LEAVES), strict=True):
        assert said.startswith("PermissionError: "), code
        assert "which outlives the run; write into run.scratch()" in said, code
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["there.txt"]
    assert (tmp_path / "elsewhere/there.txt").stat().st_mtime > 1
    assert (tmp_path / "project/there.txt").read_text(encoding="ascii") == "as it was"


def test_what_leaves_nothing_is_not(tmp_path: Path) -> None:
    for code, said in zip(LEAVES_NOTHING, fenced(tmp_path, LEAVES_NOTHING), strict=True):
        assert not said, code


def test_libraries_may_keep_what_they_need(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    assert fenced(tmp_path, ["import numpy\nnumpy.save('elsewhere/new.npy', numpy.zeros(2))"]) == [""]
    assert (tmp_path / "elsewhere/new.npy").exists()


def test_the_network_is_not_asked_and_this_host_is(tmp_path: Path) -> None:
    asked = {
        "192.0.2.1": "socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "example.invalid": "socket.getaddrinfo('example.invalid', 80)",
        "2001:db8::1": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    }
    *refused, _, _, unix = said = fenced(tmp_path, [*asked.values(), *HERE])
    for host, text in zip(asked, refused, strict=True):
        assert f"the check asks the network for {host}, which evidence would not name" in text
    assert (said[-3:], unix) == (["", "", ""], "")


def test_functions_of_c_that_open_files_are_refused(tmp_path: Path) -> None:
    (said,) = fenced(tmp_path, ["ctypes.CDLL(None).open(b'elsewhere/there.txt', 0)"])
    assert "the check calls open of a library by itself, past what is watched" in said


def test_a_child_stands_within_the_fence(tmp_path: Path) -> None:
    code = (
        "if not os.fork():\n    try: open('elsewhere/new.txt', 'w')\n    finally: os._exit(3)\n"
        "assert os.waitstatus_to_exitcode(os.wait()[1]) == 3"
    )
    assert fenced(tmp_path, [code]) == [""]
    assert not (tmp_path / "elsewhere/new.txt").exists()


def test_the_network_is_open_to_a_clause_that_asks_for_it(tmp_path: Path) -> None:
    code = "socket.getaddrinfo('192.0.2.1', 80)"  # an address of documents: RFC 5737
    (tmp_path / "closed").mkdir()
    (tmp_path / "open").mkdir()
    (refused,) = fenced(tmp_path / "closed", [code])
    assert "asks the network for 192.0.2.1" in refused
    assert fenced(tmp_path / "open", [code], "network") == [""]
