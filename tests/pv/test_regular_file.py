from __future__ import annotations

import os
from pathlib import Path

import pytest

from pv.regular_file import read_regular_file


def test_a_file_and_what_a_link_leads_to_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    (tmp_path / "link").symlink_to("file")
    assert read_regular_file(tmp_path / "file") == read_regular_file(tmp_path / "link") == b"bytes"


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "absent"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match=r"regular|directory|No such"):
        read_regular_file(path)
