"""What git has stored, read object by object, as it is asked for."""

from __future__ import annotations

import contextlib
import subprocess
import weakref

from pv.errors import SelectionError
from pv.git import Repository
from pv.git_command import command

__all__ = ["Blobs"]


class Blobs:
    """Reads blobs by their ids, one process for all of them, which ends with this object.

    Raises
    ------
    SelectionError
        There is no git, or (by :meth:`read`) a blob is not there, as in a partial clone.
    """

    def __init__(self, repository: Repository) -> None:
        try:
            self._process = subprocess.Popen(
                command("cat-file", "--batch"),
                cwd=repository.top,
                env=repository.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
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
