"""Write APR v2: sorted names and keys, unambiguous type codes, a checksum at the end."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from pv_runtime.formats.apr_header import ALIGNMENT, FLAGS, HEADER_SIZE, MAX_METADATA, Header, packed
from pv_runtime.formats.apr_metadata import serialised
from pv_runtime.formats.apr_types import UNAMBIGUOUS, dtype_of
from pv_runtime.formats.checkpoint import PLAIN, TensorInfo
from pv_runtime.formats.writing import writing
from pv_runtime.quant.scheme import Bytes

__all__ = ["TYPE_CODES", "WRITTEN", "write_apr"]

_DECLARED = {"Q5_K": 13, "Q8_0": 8}
WRITTEN = {**UNAMBIGUOUS, **_DECLARED}
"""The types that can be written, with their codes."""
TYPE_CODES = "type_codes"
"""Metadata key that says what the codes stand for that not every reader takes for the same."""


def write_apr(
    path: str,
    tensors: Iterable[tuple[TensorInfo, Callable[[], Bytes]]],
    metadata: Mapping[str, object],
) -> None:
    """Write tensors (Hugging Face names) in the order of their names, with `metadata` as JSON.

    The same tensors and metadata give the same bytes, in whatever order they come. Bytes of a
    tensor are asked for when it is its turn. Q5_K and Q8_0 take ggml's codes 13 and 8, which the
    metadata then explain under ``type_codes``.

    Raises
    ------
    ValueError
        A type has no code that every reader understands, a name, rank or metadata are too long, or
        bytes do not match a tensor's info.
    """
    listed = sorted(tensors, key=lambda tensor: tensor[0].name.encode())
    used = {info.dtype for info, _ in listed}
    declared = {str(_DECLARED[dtype]): dtype for dtype in used & _DECLARED.keys()}
    text = serialised({**metadata, **({TYPE_CODES: declared} if declared else {})})
    if len(text) > MAX_METADATA:
        raise ValueError(f"metadata of {len(text)} bytes exceed APR's {MAX_METADATA}")
    index = _index([info for info, _ in listed])
    index_offset = HEADER_SIZE + len(text) + -len(text) % ALIGNMENT
    data_offset = index_offset + len(index) + -len(index) % ALIGNMENT
    flags = FLAGS["ROW_MAJOR"]
    flags |= FLAGS["QUANTIZED"] if used - PLAIN.keys() else 0
    flags |= FLAGS["HAS_VOCAB"] if "tokenizer.vocabulary" in metadata else 0
    header = Header(b"APR\0", flags, len(listed), HEADER_SIZE, len(text), index_offset, data_offset)
    head = (packed(header) + text).ljust(index_offset, b"\0") + index
    with writing(path) as file:
        checksum = 0
        for piece in (head.ljust(data_offset, b"\0"), *_data(listed)):
            file.write(piece)
            checksum = zlib.crc32(piece, checksum)
        file.write(struct.pack("<I", checksum))


def _index(infos: list[TensorInfo]) -> bytes:
    """Return the index of tensors that lie in the order given."""
    pieces, offset = [], 0
    for place, info in enumerate(infos):
        name = info.name.encode()
        if not 0 < len(name) <= 256 or len(info.shape) > 8 or 0 in info.shape:
            raise ValueError(
                f"tensor {info.name}: APR has names of 1 to 256 bytes and up to 8 dimensions, none of them 0"
            )
        if place and info.name == infos[place - 1].name:
            raise ValueError(f"the tensor {info.name} is given twice")
        if info.dtype not in WRITTEN:
            raise ValueError(f"tensor {info.name}: APR has no unambiguous code for {info.dtype}")
        code = WRITTEN[info.dtype]
        if dtype_of(code, info.shape, info.nbytes)[0] != info.dtype:
            raise ValueError(f"tensor {info.name}: {info.nbytes} bytes are no {info.dtype} of {info.shape}")
        pieces += [
            struct.pack("<H", len(name)) + name,
            struct.pack(f"<BB{len(info.shape)}Q", code, len(info.shape), *info.shape),
            struct.pack("<QQ", offset, info.nbytes),
        ]
        offset += info.nbytes + -info.nbytes % ALIGNMENT
    return b"".join(pieces)


def _data(listed: list[tuple[TensorInfo, Callable[[], Bytes]]]) -> Iterator[bytes | memoryview]:
    for info, raw in listed:
        data = np.ascontiguousarray(raw())
        if data.nbytes != info.nbytes:
            raise ValueError(f"tensor {info.name}: {data.nbytes} bytes, announced were {info.nbytes}")
        yield data.data
        yield bytes(-info.nbytes % ALIGNMENT)
