from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCED = """\
import os, sys
from pv.fence import Fence
os.chdir(sys.argv[1])
Fence(os.path.join(os.getcwd(), "project"), os.path.join(os.getcwd(), "scratch"))
sys.path.insert(0, os.path.join(os.getcwd(), "project"))
import tried
"""
IMPORTS = "import ctypes, os, pathlib, shutil, socket, sqlite3, tempfile\n"


def fenced(folder: Path, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `code` as project code within the fence; its folder is beside the project's, as is ``scratch``."""
    for name in ("project", "scratch", "elsewhere", "cache", "scratch/full"):
        (folder / name).mkdir()
    for name in ("project/there.txt", "elsewhere/there.txt", "scratch/full/there.txt"):
        (folder / name).write_text("as it was", encoding="ascii")
    (folder / "project/tried.py").write_text(IMPORTS + code, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-c", FENCED, folder],
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize(
    "code",
    [
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
        "exec('open(\"elsewhere/new.txt\", \"w\")')",
        "os.chdir('elsewhere'); open('new.txt', 'w')",
        "open('scratch/../elsewhere/new.txt', 'w')",
    ],
)
def test_what_project_code_would_leave_behind_is_refused_before_it_is_done(tmp_path: Path, code: str) -> None:
    ended = fenced(tmp_path, code)
    assert ended.returncode == 1
    assert "PermissionError" in ended.stderr
    assert "which outlives the run; write into run.scratch()" in ended.stderr
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["there.txt"]
    assert (tmp_path / "elsewhere/there.txt").stat().st_mtime > 1
    assert (tmp_path / "project/there.txt").read_text(encoding="ascii") == "as it was"


@pytest.mark.parametrize(
    "code",
    [
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
    ],
)
def test_what_leaves_nothing_is_not(tmp_path: Path, code: str) -> None:
    ended = fenced(tmp_path, code)
    assert ended.returncode == 0, ended.stderr


def test_libraries_may_keep_what_they_need(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    ended = fenced(tmp_path, "import numpy\nnumpy.save('elsewhere/new.npy', numpy.zeros(2))")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("code", "host"),
    [
        ("socket.create_connection(('192.0.2.1', 80), timeout=1)", "192.0.2.1"),
        ("socket.getaddrinfo('example.invalid', 80)", "example.invalid"),
        ("socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))", "2001:db8::1"),
    ],
)
def test_the_network_is_not_asked(tmp_path: Path, code: str, host: str) -> None:
    ended = fenced(tmp_path, code)
    assert f"the check asks the network for {host}, which evidence would not name" in ended.stderr


@pytest.mark.parametrize(
    "code",
    [
        "server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname())",
        "server = socket.create_server(('localhost', 0)); socket.create_connection(server.getsockname())",
        "server = socket.socket(socket.AF_UNIX); server.bind('scratch/s'); server.listen()\n"
        "socket.socket(socket.AF_UNIX).connect('scratch/s')",
    ],
)
def test_this_host_is(tmp_path: Path, code: str) -> None:
    ended = fenced(tmp_path, code)
    assert ended.returncode == 0, ended.stderr


def test_functions_of_c_that_open_files_are_refused(tmp_path: Path) -> None:
    ended = fenced(tmp_path, "ctypes.CDLL(None).open(b'elsewhere/there.txt', 0)")
    assert "the check calls open of a library by itself, past what is watched" in ended.stderr


def test_a_child_stands_within_the_fence(tmp_path: Path) -> None:
    code = "if not os.fork():\n    open('elsewhere/new.txt', 'w')\nos.wait()"
    assert "outlives the run" in fenced(tmp_path, code).stderr
    assert not (tmp_path / "elsewhere/new.txt").exists()
