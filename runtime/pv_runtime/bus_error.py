"""The end of a program whose mapped file is cut off by somebody else, said in words.

The system answers the touch of a page that is gone with SIGBUS, which would end the process without a
word. Lengths are compared before windows are read, but a file may shrink at any moment. No handler can
give back what is gone, and a handler of Python's would run only after the touch, which never ends; so it
is one of C, which says what happened and ends the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator

from pv_runtime.errors import printable
from pv_runtime.formats.file_bytes import shrunken

__all__ = ["said_in_words"]


@contextlib.contextmanager
def said_in_words(code: int) -> Iterator[None]:
    """Within the block, end a process that touches what a mapped file no longer has with `code`.

    What is held open is not closed then, and a folder that is being written stays under its hidden name.
    """

    def end(_: int) -> None:
        where = ", ".join(map(printable, shrunken())) or "a file"
        os.write(2, f"error: {where}: was cut short while it was read\n    read it again\n".encode())
        os._exit(code)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(end)
    library = ctypes.CDLL(None)
    library.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    library.signal.restype = ctypes.c_void_p
    before = library.signal(signal.SIGBUS, ctypes.cast(handler, ctypes.c_void_p))
    try:
        yield
    finally:
        library.signal(signal.SIGBUS, before)
