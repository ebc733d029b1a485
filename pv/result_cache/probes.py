"""What a run can look at outside of itself, and a short text of what is there: same text, same answer.

A probe is a kind and a name. What it finds is bytes that are equal only if whoever looks would see the same.
Both the recorder and the look-up ask here, so that they cannot differ. Nothing here raises `OSError`: that
something is not there, or cannot be read, is an answer as well.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping

try:  # `hashlib` loads OpenSSL, which takes longer than the rest of a look-up
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

__all__ = [
    "BIG_BYTES",
    "CONTENT",
    "ENTRIES",
    "IDENTITY",
    "LINK",
    "MOMENT",
    "PROBES",
    "STAMP",
    "STATE",
    "TERMINAL",
    "VARIABLE",
    "VARIABLES",
    "Probe",
    "blake2b",
    "failed",
    "link_of",
    "listing",
    "state_of",
]

Probe = tuple[bytes, bytes]
"""Kind, and the path or name that is looked at."""

CONTENT, STATE, LINK, ENTRIES, STAMP = b"content", b"state", b"link", b"entries", b"stamp"
IDENTITY, MOMENT = b"identity", b"moment"
TERMINAL, VARIABLE, VARIABLES = b"terminal", b"variable", b"variables"

BIG_BYTES = 1 << 20
"""Files of this size and above are known by their times and inode, and only once they have settled."""

_DIGEST_BYTES = 32
# Bound here: the recorder puts its own in their places, which must not hear of ours.
_open, _read, _close, _fstat = os.open, os.read, os.close, os.fstat
_stat, _lstat, _readlink, _scandir = os.stat, os.lstat, os.readlink, os.scandir
_get_terminal_size = os.get_terminal_size


def failed(error: OSError) -> bytes:
    """Say how looking failed."""
    return b"errno %d" % (error.errno or 0)


def state_of(status: os.stat_result) -> bytes:
    """Say what is at a path: of folders which one, of big files their times as well."""
    mode = status.st_mode
    if stat.S_ISREG(mode):
        if status.st_size < BIG_BYTES:
            return b"file %o %d" % (mode, status.st_size)
        return b"big %o %b" % (mode, _times(status))
    return b"other %o %d %d %d" % (mode, status.st_dev, status.st_ino, status.st_rdev)


def _times(status: os.stat_result) -> bytes:
    return b"%d %d %d %d %d" % (
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )  # fmt: skip


def link_of(path: bytes, status: os.stat_result) -> bytes:
    """Say what is at a path that is not followed: of a link where it leads to, in its own words."""
    if not stat.S_ISLNK(status.st_mode):
        return state_of(status)
    try:
        return b"leads to " + _readlink(path)
    except OSError as error:
        return failed(error)


def _content(path: bytes) -> bytes:
    try:
        descriptor = _open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        return failed(error)
    try:
        status = _fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size >= BIG_BYTES:
            return state_of(status)
        digest = blake2b(digest_size=_DIGEST_BYTES)
        while piece := _read(descriptor, BIG_BYTES):
            digest.update(piece)
        return b"holds %o %b" % (status.st_mode, digest.hexdigest().encode())
    except OSError as error:
        return failed(error)
    finally:
        _close(descriptor)


def _state(path: bytes) -> bytes:
    try:
        return state_of(_stat(path))
    except OSError as error:
        return failed(error)


def _link(path: bytes) -> bytes:
    try:
        return link_of(path, _lstat(path))
    except OSError as error:
        return failed(error)


def listing(path: bytes) -> bytes:
    """Say what a folder holds: names, and of each whether it is a link, a folder, a file."""
    try:
        with _scandir(path) as entries:
            found = sorted(
                b"%b %b %b %b" % (each.name, *map(_asked, (each.is_symlink, each.is_dir, each.is_file)))
                for each in entries
            )
    except OSError as error:
        return failed(error)
    return blake2b(b"/".join(found), digest_size=_DIGEST_BYTES).hexdigest().encode()


def _asked(ask: Callable[[], bool]) -> bytes:
    """Say what an entry of a folder answers: a link to itself must not hide the names beside it."""
    try:
        return b"%d" % ask()
    except OSError as error:
        return failed(error)


def _identity(path: bytes) -> bytes:
    try:
        status = _stat(path)
    except OSError as error:
        return failed(error)
    return b"%d %d" % (status.st_dev, status.st_ino)


def _stamp(path: bytes) -> bytes:
    try:
        return _times(_stat(path))
    except OSError as error:
        return failed(error)


def _terminal(descriptor: bytes) -> bytes:
    try:
        return b"%d by %d" % _get_terminal_size(int(descriptor))
    except OSError as error:
        return failed(error)


def _variable(name: bytes) -> bytes:
    value = os.environb.get(name)
    return b"unset" if value is None else b"is " + value


def _variables(_name: bytes) -> bytes:
    spelled = b"\0".join(b"%b=%b" % each for each in sorted(os.environb.items()))
    return blake2b(spelled, digest_size=_DIGEST_BYTES).hexdigest().encode()


def _moment(microseconds: bytes) -> bytes:
    return b"past" if time.time_ns() // 1000 > int(microseconds) else b"to come"


PROBES: Mapping[bytes, Callable[[bytes], bytes]] = {
    CONTENT: _content,
    STATE: _state,
    LINK: _link,
    ENTRIES: listing,
    STAMP: _stamp,
    IDENTITY: _identity,
    MOMENT: _moment,
    TERMINAL: _terminal,
    VARIABLE: _variable,
    VARIABLES: _variables,
}
"""Kind → how it is looked at."""
