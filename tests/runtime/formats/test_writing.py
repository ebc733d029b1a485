from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_bytes
from pv_runtime.formats.writing import writing

WRITE = """
import resource, sys, time
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_bytes
from pv_runtime.formats.writing import writing
if sys.argv[2:]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with writing(sys.argv[1]) as file:
    file.write(bytes(100_000))
    file.flush()
    print("half", flush=True)
    time.sleep(60)
"""


def test_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        for text in (b"first", b"second"):
            with writing(tmp_path / "x") as file:
                file.write(text)
                assert not (tmp_path / "x").exists() or (tmp_path / "x").read_bytes() == b"first"
            assert (tmp_path / "x").read_bytes() == text
    finally:
        os.umask(umask)
    assert os.listdir(tmp_path) == ["x"]  # noqa: PTH208
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("before")
    with pytest.raises(KeyboardInterrupt), writing(tmp_path / "x") as file:  # noqa: PT012
        file.write(b"after")
        raise KeyboardInterrupt
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_the_longest_name_can_be_written_twice(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    for _ in range(2):
        with writing(target) as file:
            file.write(b"x")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without a name are Linux's")
def test_a_process_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path / "x")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_errors_name_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    full = subprocess.run(
        [sys.executable, "-c", WRITE, str(tmp_path / "x"), "limited"], capture_output=True, check=False
    )
    assert f"[Errno {errno.EFBIG}] File too large: '{tmp_path / 'x'}'" in full.stderr.decode()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError) as caught, writing(tmp_path / "none" / "x"):
        pass
    assert caught.value.filename == str(tmp_path / "none" / "x")


def test_errors_of_other_files_keep_their_names(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, writing(tmp_path / "x"):
        (tmp_path / "other").read_bytes()
    assert caught.value.filename == str(tmp_path / "other")


def test_a_source_that_is_cut_short_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(1 << 20))
    view = open_bytes(tmp_path / "source").read(0, 1 << 20)
    os.truncate(tmp_path / "source", 10)
    with pytest.raises(LoadError, match="its source was cut short"), writing(tmp_path / "x") as file:
        file.write(view.data)
    assert not (tmp_path / "x").exists()
