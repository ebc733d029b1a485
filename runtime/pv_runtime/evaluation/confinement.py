"""Takes rights from the process that calls it, for good, and says which of them it could take.

Limits of the system bound time, memory and files; namespaces take away the network, the other processes and
every place to write but one small folder; a filter of system calls takes away new processes and sockets.
Namespaces need a kernel that lets users make them; nothing here needs to be root, and root loses its
power by them.

Imports the standard library only, and nothing of this package: it runs in a process that then runs
somebody else's program. Sources: setrlimit(2), user_namespaces(7), mount_setattr(2), capset(2),
seccomp(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct

TYPE_CHECKING = False  # as type checkers know it; typing itself takes a tenth of the start
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RLIMITS", "enter_namespaces", "filter_calls", "give_up_power", "only_write_here", "set_limits"]

RLIMITS = {
    "cpu_seconds": resource.RLIMIT_CPU,
    "address_space_bytes": resource.RLIMIT_AS,
    "file_bytes": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
    "core_bytes": resource.RLIMIT_CORE,
}
"""Our names of the limits; of `processes` the system counts threads, too, and does not hold root to it."""

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_NOSUID, _NODEV, _REC, _PRIVATE = 2, 4, 0x4000, 0x40000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 1
_PDEATHSIG, _NO_NEW_PRIVS, _SECCOMP = 1, 38, 22
_SIGKILL = 9
_CAPABILITIES_V3 = 0x20080522

_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
_CLONE_THREAD = 0x10000
_CLONE3 = 435
_CALLS = {
    # audit number of the machine, clone, and what is denied: fork, vfork, execve, execveat, socket, ptrace,
    # kill, tkill, io_uring_setup, unshare, setns, mount, pidfd_open, mount_setattr, move_mount, open_tree
    "x86_64": (0xC000003E, 56, (57, 58, 59, 322, 41, 101, 62, 200, 425, 272, 308, 165, 434, 442, 429, 428)),
    "aarch64": (0xC00000B7, 220, (221, 281, 198, 117, 129, 130, 425, 97, 268, 40, 434, 442, 429, 428)),
}


def set_limits(limits: Mapping[str, int]) -> dict[str, int]:
    """Lower the limits of this process, by the names of `RLIMITS`; return what they are now.

    One that is lower already stays.
    """
    found = {}
    for name, wanted in limits.items():
        what = RLIMITS[name]
        _, hard = resource.getrlimit(what)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (most, most))
        found[name] = resource.getrlimit(what)[1]
    return found


def enter_namespaces() -> bool:
    """Leave the network, the mounts and the processes of the host; the next fork is the first process.

    Returns False where the kernel does not allow it; nothing has then changed.
    """
    user, group = os.getuid(), os.getgid()
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_NEWUSER | _NEWNS | _NEWPID | _NEWNET | _NEWIPC):
        return False
    _write("setgroups", "deny")
    _write("uid_map", f"{user} {user} 1\n")
    _write("gid_map", f"{group} {group} 1\n")
    return True


def _write(name: str, text: str) -> None:
    """Write to a file of this process in /proc; where that is refused, the process has no user, and less."""
    try:
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(text)
    except OSError:
        pass


def only_write_here(folder: str, size: int, files: int) -> bool:
    """Make every mounted file system read-only, and lay an empty one of `size` bytes over `folder`.

    It holds `files` files at most and goes with the process. Of use in namespaces of one's own only.
    Devices can still be written to. Returns False where the kernel refuses.
    """
    library = ctypes.CDLL(None, use_errno=True)
    library.mount.argtypes = [*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p]
    if library.mount(None, b"/", None, _REC | _PRIVATE, None):
        return False
    attributes = ctypes.create_string_buffer(struct.pack("=QQQQ", _READ_ONLY, 0, 0, 0), 32)
    call = (_AT_FDCWD, b"/", _AT_RECURSIVE, attributes, ctypes.c_size_t(32))
    if library.syscall(_MOUNT_SETATTR, *call):
        return False
    options = f"size={size},nr_inodes={files + 1},mode=700".encode()
    if library.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", _NOSUID | _NODEV, options):
        return False
    os.chdir(folder)
    return True


def give_up_power() -> None:
    """Give up every capability, of a namespace of one's own, too, and end when the parent does.

    Who makes a namespace has all power in it, and could make it writable again.
    """
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PDEATHSIG, _SIGKILL, 0, 0, 0)
    library.capset(struct.pack("=Ii", _CAPABILITIES_V3, 0), bytes(24))


def filter_calls() -> bool:
    """Let no process be made or replaced, no socket be opened, and no other process be touched, from here on.

    Threads may be made. Returns False where the machine is not known or the kernel refuses.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if os.uname().machine not in _CALLS or library.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    rules = _rules(*_CALLS[os.uname().machine])
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))
    program = struct.pack("@HP", len(rules), ctypes.addressof(code))
    return bool(library.prctl(_SECCOMP, 2, ctypes.create_string_buffer(program), 0, 0) == 0)


def _rules(machine: int, clone: int, denied: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """Return the filter in classic BPF: code, steps where it holds, steps where not, value."""
    load, equal, at_least, any_bit, end = 0x20, 0x15, 0x35, 0x45, 0x06
    rules = [
        (load, 0, 0, 4),  # the machine whose calls these are
        (equal, 1, 0, machine),
        (end, 0, 0, _KILL),
        (load, 0, 0, 0),  # the number of the call
        (at_least, 0, 1, 0x40000000),  # the same calls under other numbers
        (end, 0, 0, _EPERM),
        (equal, 0, 1, _CLONE3),  # its flags are behind a pointer; libraries then take clone
        (end, 0, 0, _ENOSYS),
    ]
    for number in denied:
        rules += [(equal, 0, 1, number), (end, 0, 0, _EPERM)]
    return [
        *rules,
        (equal, 0, 3, clone),
        (load, 0, 0, 16),  # its flags
        (any_bit, 1, 0, _CLONE_THREAD),
        (end, 0, 0, _EPERM),
        (end, 0, 0, _ALLOW),
    ]
