"""What git has stored, read from its objects by its own program."""

from __future__ import annotations

import contextlib
import subprocess
import weakref
from collections.abc import Sequence
from pathlib import Path

from pv.errors import SelectionError

__all__ = ["Blobs", "git", "read_blobs"]


def git(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    """Run git in `root`; return what it prints.

    Raises
    ------
    SelectionError
        There is no git, `root` is in no repository, or it failed.
    """
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], input=given, capture_output=True, timeout=120, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SelectionError(f"git cannot be run: {error}", remedy="install git") from error
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip().splitlines()
        raise SelectionError(
            f"git {arguments[0]} failed: {why[-1] if why else 'it does not say why'}",
            remedy="run it in a git checkout",
        )
    return done.stdout


class Blobs:
    """Reads blobs by their ids, one process for all of them, which ends with this object.

    Raises
    ------
    SelectionError
        There is no git, or (by :meth:`read`) a blob is not there, as in a partial clone.
    """

    def __init__(self, root: Path) -> None:
        command = ["git", "-C", str(root), "cat-file", "--batch"]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise SelectionError(f"git cannot be run: {error}", remedy="install git") from error
        self._end = weakref.finalize(self, _end, self._process)

    def read(self, blob: str) -> bytes:
        """Return the bytes of one blob, by its full id."""
        asking, answer = self._process.stdin, self._process.stdout
        assert asking is not None  # noqa: S101 -- they are pipes
        assert answer is not None  # noqa: S101
        try:
            asking.write(f"{blob}\n".encode())
            asking.flush()
            # "<blob> blob <size>\n<bytes>\n", or "<blob> missing\n"
            words = answer.readline().split()
            data = answer.read(int(words[2]) + 1)[:-1] if len(words) == 3 else b""
        except (OSError, ValueError):
            words = []
        if len(words) != 3 or words[1] != b"blob" or len(data) != int(words[2]):
            raise SelectionError("git does not have all files of the revision", remedy="fetch it whole")
        return data

    def close(self) -> None:
        """End the process."""
        self._end()


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()


def read_blobs(root: Path, blobs: Sequence[str]) -> list[bytes]:
    """Return the bytes of blobs, by their full ids.

    Raises
    ------
    SelectionError
        One is not there.
    """
    if not blobs:
        return []
    reader = Blobs(root)
    try:
        return [reader.read(blob) for blob in blobs]
    finally:
        reader.close()
