"""Files that are no model format of ours, told by their first bytes, so that the refusal names them.

Nothing here reads further than the bytes that tell; nothing is unpacked or unpickled.
"""

from __future__ import annotations

import pickletools
import warnings

from pv_runtime.errors import LoadError
from pv_runtime.formats.file_bytes import FileBytes

__all__ = ["foreign_format", "refuse_foreign"]

_HEAD = 512
"""Bytes of a file's beginning that are looked at."""

_PICKLE = "which runs code when it is loaded, and is refused"
_CONVERT = "convert it to safetensors where you trust it"

_MAGICS: dict[bytes, tuple[str, str]] = {
    b"PK\x03\x04": (f"is a zip archive (torch.save, .npz), which may hold a pickle, {_PICKLE}", _CONVERT),
    b"PK\x05\x06": ("is an empty zip archive", "fetch or build it again"),
    b"\x93NUMPY": (f"is a NumPy array, which may hold a pickle, {_PICKLE}", _CONVERT),
    b"\x89HDF\r\n\x1a\n": ("is an HDF5 file (Keras), which is not read", _CONVERT),
    b"\x1f\x8b": ("is compressed with gzip", "unpack it first"),
    b"\x28\xb5\x2f\xfd": ("is compressed with Zstandard", "unpack it first"),
    b"BZh": ("is compressed with bzip2", "unpack it first"),
    b"\xfd7zXZ": ("is compressed with xz", "unpack it first"),
    b"lmgg": ("is a ggml file from before GGUF", "convert the original model to GGUF anew"),
    b"fmgg": ("is a ggmf file from before GGUF", "convert the original model to GGUF anew"),
    b"tjgg": ("is a ggjt file from before GGUF", "convert the original model to GGUF anew"),
    b"FUGG": ("is a big-endian GGUF file, which is not read here", "convert it to little-endian"),
    b"version https://git-lfs": ("is a Git LFS pointer, and not the file it points to", "run: git lfs pull"),
    b"<!DOCTYPE": ("is a web page", "the download failed: fetch the file itself"),
    b"<html": ("is a web page", "the download failed: fetch the file itself"),
    b"\x7fELF": ("is a program", "name a model file"),
}  # fmt: skip


def refuse_foreign(source: FileBytes) -> None:
    """Refuse by name what is known to be something else, unless byte 8 is safetensors' ``{``.

    Raises
    ------
    LoadError
        It is such a file.
    """
    head = source.copy(0, min(source.size, _HEAD))
    if head[8:9] != b"{" and (known := foreign_format(head)):
        raise LoadError(known[0], source.path, known[1])


def foreign_format(head: bytes) -> tuple[str, str] | None:
    """Say what a file that begins with `head` is and what to do about it; None where it is not known.

    Pickles of protocol 2 and above have a magic; those of 0 and 1 begin with any opcode, so that
    their first opcodes are decoded, by the standard library's disassembler, which runs none of them.
    """
    for magic, answer in _MAGICS.items():
        if head.startswith(magic):
            return answer
    if head[257:262] == b"ustar":
        return f"is a tar archive (torch.save of old), which holds a pickle, {_PICKLE}", _CONVERT
    if _is_pickle(head):
        return f"is a pickle (torch.save), {_PICKLE}", _CONVERT
    return None


def _is_pickle(head: bytes) -> bool:
    if head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return True
    opcodes = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that Python will not know any more
        try:
            for opcode, _, position in pickletools.genops(head):
                opcodes.add(opcode.name)
                if opcode.name == "STOP":
                    return bool(position)
        except (ValueError, UnicodeError, OverflowError, IndexError):  # where the head is cut, or no pickle
            pass
    # A memo, a mark or a global beside other opcodes: text and zeros decode to none of these.
    return len(opcodes) > 2 and bool(opcodes & {"PUT", "BINPUT", "LONG_BINPUT", "GLOBAL", "REDUCE", "BUILD"})
