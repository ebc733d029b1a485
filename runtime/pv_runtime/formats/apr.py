"""Read APR v2: a header, metadata as JSON, an index sorted by name, and aligned tensors.

Dimensions are listed outermost first, ``(out, in)``. Tensors may lie in any order; the index names
each one's offset from the start of the data.
"""

from __future__ import annotations

import dataclasses
import math
import struct
import zlib

import numpy as np

from pv_runtime.errors import LoadError
from pv_runtime.formats.apr_header import ALIGNMENT, Header, read_header
from pv_runtime.formats.apr_metadata import parse_metadata
from pv_runtime.formats.apr_types import CODES, PADDED, dtype_of, native_values
from pv_runtime.formats.checkpoint import TensorInfo, decode
from pv_runtime.formats.file_bytes import FileBytes
from pv_runtime.formats.pages import bring, give_back
from pv_runtime.formats.table import TableCheckpoint
from pv_runtime.names import hf_name
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Floats

__all__ = ["AprCheckpoint", "footer_matches", "read_apr"]

_MAX_NAME = 256
_MAX_RANK = 8
_LARGEST_ENTRY = 2 + _MAX_NAME + 1 + 1 + 8 * (_MAX_RANK + 2)
_CUT = "the file is cut short: fetch it again"


@dataclasses.dataclass(frozen=True, eq=False)
class AprCheckpoint(TableCheckpoint):
    """An APR file.

    Parameters
    ----------
    header
        Its first 64 bytes.
    notes
        What a careful reader is told of this file although it can be read.
    footer
        The CRC-32 that the last four bytes hold; None where there are none.
    """

    header: Header = dataclasses.field(kw_only=True)
    notes: tuple[str, ...] = dataclasses.field(kw_only=True)
    footer: int | None = dataclasses.field(kw_only=True)

    def tensor(self, name: str) -> Floats:
        """Return the tensor as float32 in its shape; what fills up padded rows is left out."""
        info = self.info(name)
        if info.dtype in {"APR_Q4", "APR_Q8"}:
            return native_values(info.dtype, self.raw(name), info.shape)
        if info.dtype not in PADDED:
            return decode(info, self.raw(name), self.path)
        filled = SCHEMES[PADDED[info.dtype]].dequantise(self.raw(name))
        rows = filled.reshape(math.prod(info.shape[:-1]), -1)[:, : info.shape[-1]]
        return np.ascontiguousarray(rows).reshape(info.shape)


def footer_matches(model: AprCheckpoint) -> bool | None:
    """Compare the CRC-32 at the end of the file with its bytes, all of which are read.

    Returns
    -------
    bool | None
        None where the file has no such footer.
    """
    if model.footer is None:
        return None
    computed, end, step = 0, model.source.size - 4, 4 << 20
    for start in range(0, end, step):
        piece = model.source.read(start, min(step, end - start))
        bring(piece)
        computed = zlib.crc32(piece.data, computed)
        give_back(piece)
    return computed == model.footer


def read_apr(source: FileBytes) -> AprCheckpoint:
    """Read the header, the metadata and the index; the tensors stay in the file.

    ``metadata`` has the file's keys. Names are Hugging Face's, in the order of the data, whichever
    of Hugging Face's and GGUF's the file uses. The footer is not compared with the bytes, which
    would read all of them: see `footer_matches`.

    Raises
    ------
    LoadError
        The file is not well-formed, does not match its length, or uses a feature that is not read.
    """
    header = read_header(source)
    text = source.copy(header.metadata_offset, header.metadata_size)
    metadata, repeated = parse_metadata(text, source.path)
    notes = [f"the metadata key {key} occurs more than once; the last one counts" for key in repeated]
    if header.magic == b"APRN":
        notes.append("begins with APRN, the magic of an older layout, over the layout of version 2")
    if header.has("SIGNED"):
        notes.append("is signed; signatures are not verified here")
    entries = _index(source, header, metadata)
    table, footer = _table(source, header, entries)
    if footer is None:
        notes.append("has no checksum over the whole file at its end: damage to a tensor cannot be seen")
    padded = sum(info.dtype in PADDED for info, _ in table.values())
    if padded:
        notes.append(f"{padded} tensors have rows filled up to whole blocks, which ggml does not allow")
    return AprCheckpoint(
        "apr", source, metadata, table, "2.0", header=header, notes=tuple(notes), footer=footer
    )


def _index(source: FileBytes, header: Header, metadata: dict[str, object]) -> list[tuple[TensorInfo, int]]:
    """Read the index: each tensor, and its offset from the start of the data."""
    index_bytes = header.data_offset - header.index_offset
    view = source.copy(header.index_offset, min(index_bytes, header.tensor_count * _LARGEST_ENTRY))
    entries: list[tuple[TensorInfo, int]] = []
    position, last = 0, b""
    for number in range(header.tensor_count):
        try:
            (length,) = struct.unpack_from("<H", view, position)
            name = view[position + 2 : position + 2 + length]
            code, rank = struct.unpack_from("<BB", view, position + 2 + length)
            if not 0 < length <= _MAX_NAME or rank > _MAX_RANK:
                raise LoadError(
                    f"tensor {number} of the index has a name of {length} bytes and {rank} dimensions; "
                    f"allowed are 1 to {_MAX_NAME}, and {_MAX_RANK}",
                    source.path,
                )
            *shape, offset, size = struct.unpack_from(f"<{rank + 2}Q", view, position + 4 + length)
        except struct.error as error:
            raise LoadError(f"the index ends within its tensor {number}", source.path, _CUT) from error
        position += 4 + length + 8 * (rank + 2)
        if name <= last:
            kind = "occurs twice" if name == last else "is out of order: names ascend"
            raise LoadError(f"the tensor {_text(name, source.path)} {kind}", source.path)
        last = name
        info = _described(source, _text(name, source.path), code, tuple(shape), size)
        if code == 8 and info.dtype == "APR_Q4" and _says_q4_k(metadata):
            raise LoadError(
                f"tensor {info.name} has the type code 8 and the size of APR_Q4 and of Q4_K alike, and the "
                "metadata speak of Q4_K",
                source.path,
                "convert the file it was made from again, with a newer tool",
            )
        entries.append((info, offset))
    if index_bytes - position >= ALIGNMENT:
        raise LoadError(f"{index_bytes - position} bytes follow the last tensor of the index", source.path)
    return entries


def _says_q4_k(metadata: dict[str, object]) -> bool:
    """Whether an older converter wrote this, whose 8 was Q4_K."""
    quantisation = metadata.get("quantization")
    stated = quantisation.get("quant_type") if isinstance(quantisation, dict) else None
    return isinstance(stated, str) and stated.upper().startswith("Q4_K")


def _text(name: bytes, path: str) -> str:
    try:
        return str(name, "utf-8")
    except UnicodeDecodeError as error:
        raise LoadError(f"the name of a tensor is not UTF-8: {error}", path) from error


def _described(source: FileBytes, name: str, code: int, shape: tuple[int, ...], size: int) -> TensorInfo:
    if not all(0 < dim < 2**63 for dim in shape):
        raise LoadError(f"tensor {name} has the shape {shape}", source.path)
    if code not in CODES:
        raise LoadError(f"tensor {name} has the type code {code}, which is not known here", source.path)
    dtype, sizes = dtype_of(code, shape, size)
    if dtype is None:
        raise LoadError(
            f"tensor {name} has {size} bytes, which its type code {code} and shape {shape} do not explain"
            + (f" ({sizes})" if sizes else ""),
            source.path,
        )
    return TensorInfo(hf_name(name), dtype, shape, size)


def _table(
    source: FileBytes, header: Header, entries: list[tuple[TensorInfo, int]]
) -> tuple[dict[str, tuple[TensorInfo, int]], int | None]:
    """Check that the tensors lie aligned, without overlap or hole, to the end of the file or its footer."""
    table: dict[str, tuple[TensorInfo, int]] = {}
    expected = 0
    for info, offset in sorted(entries, key=lambda entry: entry[1]):
        if info.name in table:
            raise LoadError(f"the tensor {info.name} occurs twice", source.path)
        if offset != expected:
            raise LoadError(
                f"tensor {info.name} lies at offset {offset}; aligned, without overlap or hole, that "
                f"is {expected}",
                source.path,
            )
        table[info.name] = (info, header.data_offset + offset)
        expected = offset + info.nbytes + -info.nbytes % ALIGNMENT
    end = header.data_offset + expected
    if end > source.size:
        raise LoadError(f"the tensors end at byte {end}, the file has {source.size}", source.path, _CUT)
    if source.size not in {end, end + 4}:
        raise LoadError(f"{source.size - end} bytes follow the last tensor", source.path)
    if source.size == end:
        return table, None
    return table, int.from_bytes(source.copy(end, 4), "little")
