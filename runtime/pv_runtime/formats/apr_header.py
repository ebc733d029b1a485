"""The 64-byte header of APR v2, its flags and its checksum. All integers are little-endian.

Every offset comes from whoever wrote the file, and the checksum with it: each is compared with the
length of the file before it is used.
"""

from __future__ import annotations

import dataclasses
import struct
import zlib

from pv_runtime.errors import LoadError
from pv_runtime.formats.file_bytes import FileBytes

__all__ = ["ALIGNMENT", "FLAGS", "HEADER_SIZE", "MAGICS", "Header", "packed", "read_header"]

ALIGNMENT = 64
HEADER_SIZE = 64
MAX_METADATA = 16 << 20
_MAX_TENSORS = 1 << 16
"""Many times what any model has: the memory that a hostile index may cost."""
MAGICS = {b"APR\0", b"APRN", b"APR1", b"APR2"}
"""What files of this family begin with. Read are the first and, where the rest is right, the second."""

FLAGS = {
    "LZ4": 0x0001, "ZSTD": 0x0002, "ENCRYPTED": 0x0004, "SIGNED": 0x0008, "SHARDED": 0x0010,
    "QUANTIZED": 0x0020, "FILTERBANK": 0x0040, "MODEL_CARD": 0x0080, "STREAMING": 0x0100,
    "HAS_VOCAB": 0x0200, "ROW_MAJOR": 0x0400, "COLUMN_MAJOR": 0x0800,
}  # fmt: skip

_REFUSED = {
    "LZ4": "its payload is compressed with LZ4, in a framing that is not published",
    "ZSTD": "its payload is compressed with Zstandard, in a framing that is not published",
    "ENCRYPTED": "its payload is encrypted",
    "SHARDED": "it is one shard of several, and how shards are joined is not published",
    "COLUMN_MAJOR": "its weights are stored column-major",
}
_LEAST_ENTRY = 2 + 1 + 1 + 1 + 8 + 8
_LAYOUT = struct.Struct("<4sBBHIQIQQI20s")


@dataclasses.dataclass(frozen=True)
class Header:
    """What the first 64 bytes say; offsets count from the start of the file."""

    magic: bytes
    flags: int
    tensor_count: int
    metadata_offset: int
    metadata_size: int
    index_offset: int
    data_offset: int
    reserved: bytes = bytes(20)

    def has(self, flag: str) -> bool:
        """Whether the flag of that name is set."""
        return bool(self.flags & FLAGS[flag])


def _checksum(raw: bytes) -> int:
    return zlib.crc32(raw[44:64], zlib.crc32(raw[:40]))


def packed(header: Header) -> bytes:
    """Return the header as 64 bytes, version 2.0, with its CRC-32."""
    fields = (
        header.magic, 2, 0, header.flags, header.tensor_count, header.metadata_offset,
        header.metadata_size, header.index_offset, header.data_offset,
    )  # fmt: skip
    raw = _LAYOUT.pack(*fields, 0, header.reserved)
    return _LAYOUT.pack(*fields, _checksum(raw), header.reserved)


def read_header(source: FileBytes) -> Header:
    """Read and check the header against itself and the length of the file.

    Raises
    ------
    LoadError
        It is cut short, of another version or an unsupported feature, or points outside the file.
    """
    if source.size < HEADER_SIZE:
        raise LoadError(
            f"{source.size} bytes cannot hold the {HEADER_SIZE} of an APR header", source.path, _CUT
        )
    raw = source.copy(0, HEADER_SIZE)
    magic, major, minor, flags, count, metadata, size, index, data, checksum, reserved = _LAYOUT.unpack(raw)
    computed = _checksum(raw)
    right = (major, minor) == (2, 0) and checksum == computed
    if magic != b"APR\0" and not (magic == b"APRN" and right):
        raise LoadError(
            f"begins with {magic.decode('latin-1')!r}, a layout of before APR v2 that is not read here",
            source.path,
            "convert it with the tool that wrote it, to a file that begins with APR and a zero byte",
        )
    if (major, minor) != (2, 0):
        raise LoadError(f"APR version {major}.{minor} is not 2.0, which is read here", source.path)
    if checksum != computed:
        raise LoadError(
            f"the header's CRC-32 is {checksum:#010x}, its bytes have {computed:#010x}",
            source.path,
            "the header was altered: fetch the file again",
        )
    header = Header(magic, flags, count, metadata, size, index, data, reserved)
    _check_flags(source, header)
    _check_offsets(source, header)
    return header


_CUT = "the file is cut short: fetch it again"


def _check_flags(source: FileBytes, header: Header) -> None:
    for name, reason in _REFUSED.items():
        if header.has(name):
            raise LoadError(f"cannot be read: {reason} (flag {name})", source.path)
    if unknown := header.flags & ~sum(FLAGS.values()):
        raise LoadError(f"has the flags {unknown:#06x}, whose meaning is not known here", source.path)


def _check_offsets(source: FileBytes, header: Header) -> None:
    """Hold the three sections to lie in order, close together, inside the file."""
    ends = (
        ("metadata", header.metadata_offset, header.metadata_size, HEADER_SIZE),
        ("tensor index", header.index_offset, 0, header.metadata_offset + header.metadata_size),
    )
    for what, offset, size, earliest in ends:
        if not earliest <= offset < earliest + ALIGNMENT:
            raise LoadError(
                f"the {what} is at byte {offset}; after what comes before it, it lies within "
                f"{ALIGNMENT} bytes of {earliest}",
                source.path,
            )
        if offset + size > source.size:
            raise LoadError(
                f"the {what} ends at byte {offset + size}, the file has {source.size}", source.path, _CUT
            )
    if header.metadata_size > MAX_METADATA:
        raise LoadError(f"metadata of {header.metadata_size} bytes exceed {MAX_METADATA}", source.path)
    if not header.index_offset <= header.data_offset <= source.size:
        raise LoadError(
            f"the data begins at byte {header.data_offset}, the tensor index at {header.index_offset}, and "
            f"the file has {source.size} bytes",
            source.path,
            _CUT,
        )
    if header.data_offset % ALIGNMENT:
        raise LoadError(
            f"the data begins at byte {header.data_offset}, no multiple of {ALIGNMENT}", source.path
        )
    if header.tensor_count > _MAX_TENSORS:
        raise LoadError(f"{header.tensor_count} tensors: more than {_MAX_TENSORS} are refused", source.path)
    if header.tensor_count * _LEAST_ENTRY > header.data_offset - header.index_offset:  # before any loop
        raise LoadError(
            f"{header.tensor_count} tensors cannot fit in the index's "
            f"{header.data_offset - header.index_offset} bytes",
            source.path,
        )
