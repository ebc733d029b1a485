"""What git has stored, read from its objects by its own program."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from pv.errors import SelectionError

__all__ = ["git", "read_blobs"]


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


def read_blobs(root: Path, blobs: Sequence[str]) -> list[bytes]:
    """Return the bytes of blobs, by their full ids, read by one process.

    Raises
    ------
    SelectionError
        One is not there.
    """
    if not blobs:
        return []
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    answer = memoryview(git(root, "cat-file", "--batch", given=asked))
    found: list[bytes] = []
    at = 0
    for blob in blobs:
        # "<blob> blob <size>\n<bytes>\n", or "<blob> missing\n"
        head = bytes(answer[at : at + len(blob) + 32]).partition(b"\n")[0]
        words = head.split()
        if len(words) != 3 or words[1] != b"blob":
            raise SelectionError("git does not have all files of the revision", remedy="fetch it whole")
        at += len(head) + 1
        size = int(words[2])
        found.append(bytes(answer[at : at + size]))
        at += size + 1
    return found
