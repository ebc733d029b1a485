from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import numpy as np
import pytest
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_bytes
from pv_runtime.formats.pages import ask, bring, give_back


def test_advice_changes_no_byte(tmp_path: Path) -> None:
    content = np.random.default_rng(0).integers(0, 256, 100_000, dtype=np.uint8)
    (tmp_path / "model.gguf").write_bytes(content.tobytes())
    source = open_bytes(tmp_path / "model.gguf")
    for start, length in ((0, 100_000), (1, 99_999), (5000, 10), (4096, 8192), (100_000, 0)):
        view = source.read(start, length)
        ask(view)
        bring(view)
        give_back(view)
        assert np.array_equal(view, content[start : start + length])


def test_other_arrays_are_left_alone() -> None:
    """Dropped pages of anonymous memory would come back as zeros."""
    own = np.full(1 << 16, 7, np.uint8)
    frozen = own.view()
    frozen.flags.writeable = False
    for array in (own, own[4096:], frozen, np.frombuffer(bytes(own), np.uint8), own[::2]):
        ask(array)
        bring(array)
        give_back(array)
        assert (array == 7).all()


def test_a_file_cut_short_is_an_error_and_no_signal(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(bytes(1 << 16))
    view = open_bytes(path).read(1 << 15, 1 << 15)
    os.truncate(path, 100)
    with pytest.raises(LoadError, match="cut short"):
        bring(view)


def test_what_is_asked_for_is_read_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(bytes(1 << 24))
    with path.open("rb") as file:
        os.fdatasync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        buffers = [bytearray(4096)]
        try:
            os.preadv(file.fileno(), buffers, 1 << 23, os.RWF_NOWAIT)
        except BlockingIOError:
            pass
        else:
            pytest.skip("this file system keeps files in memory")
        ask(open_bytes(path).read(1 << 22, 1 << 23))
        for _ in range(500):
            with contextlib.suppress(BlockingIOError):
                if os.preadv(file.fileno(), buffers, 1 << 23, os.RWF_NOWAIT) == 4096:
                    break
            time.sleep(0.01)
        else:
            pytest.fail("nothing was read")
