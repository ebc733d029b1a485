"""Takes the network from the process that calls it, and from all that it starts, for good.

The process moves into a network namespace of its own, in which there is nothing but a loopback interface that
leads to itself: servers that a check starts for itself are reached, those of this host are not. Sockets of
the file system stay as they are; abstract ones are of the namespace. It needs no root: where the process has
not the power to make a network namespace, it makes a user namespace in which it has, with its own user in it,
and gives that power up again. Containers and hosts that restrict user namespaces refuse; nothing has then
changed.

Sources: unshare(2), user_namespaces(7), network_namespaces(7), netdevice(7), capset(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct

__all__ = ["can_cut_off", "cut_off"]

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
_CAPABILITIES_V3 = 0x20080522


def cut_off() -> bool:
    """Leave the network of the host; the process must have one thread.

    Returns False where the kernel does not allow it; nothing has then changed.
    """
    user, group = os.geteuid(), os.getegid()
    library = ctypes.CDLL(None, use_errno=True)
    # Root keeps its files this way: in a user namespace it would have no power over those of others.
    if library.unshare(_NEWNET):
        if library.unshare(_NEWUSER | _NEWNET):
            return False
        _write("setgroups", "deny")
        _write("uid_map", f"{user} {user} 1\n")
        _write("gid_map", f"{group} {group} 1\n")
        _raise_loopback()
        library.capset(struct.pack("=Ii", _CAPABILITIES_V3, 0), bytes(24))
    else:
        _raise_loopback()
    return True


def can_cut_off() -> bool:
    """Tell whether :func:`cut_off` works on this host, tried in a process that ends at once."""
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            code = 0 if cut_off() else 1
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _raise_loopback() -> None:
    """Let the process reach itself; where that is refused, it reaches nothing."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_one:
        request = bytearray(struct.pack("16sH22x", b"lo", 0))
        fcntl.ioctl(any_one, _GET_FLAGS, request)
        (flags,) = struct.unpack_from("H", request, 16)
        struct.pack_into("H", request, 16, flags | _UP)
        fcntl.ioctl(any_one, _SET_FLAGS, request)


def _write(name: str, text: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
