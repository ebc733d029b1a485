"""Every number that GGUF can give as a tensor's type: known and read right, or refused by name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, FileBytes, LazyTensor, Overlay, TensorInfo, open_bytes
from pv_runtime.formats.checkpoint import DECODED
from pv_runtime.formats.gguf import read_gguf
from pv_runtime.quant.scheme import Bytes, Floats

__all__ = ["type_codes"]

Reader = Callable[[FileBytes], Checkpoint]

_CODES = (*range(256), 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_ELEMENTS = 1024
_NAME = b"tensor"


@check(
    metrics=[
        Metric("codes", unit="1", kind="count"),
        Metric("missing_types", unit="1", kind="count"),
        Metric("accepted", unit="1", kind="count"),
        Metric("unknown_accepted", unit="1", kind="count"),
        Metric("misnamed", unit="1", kind="count"),
        Metric("wrong_size", unit="1", kind="count"),
        Metric("decoded", unit="1", kind="count"),
        Metric("differing_elements", unit="1", kind="count"),
    ]
)
def type_codes(run: Run, *, model: Checkpoint) -> None:
    """Read a GGUF file of one tensor for each of 260 type numbers, its bytes drawn at random.

    What a number stands for is taken from the ``gguf`` package. `accepted` counts the numbers that
    our reader takes, `unknown_accepted` is 1 for each of them that ``gguf`` does not know, `misnamed` for
    each under another name than ``gguf``'s, `wrong_size` for each that takes another number of bytes.
    `decoded` counts those that both decode; `differing_elements` their values whose bits differ, NaN
    being NaN. `missing_types` counts the types of `model`'s tensors that no accepted number gives.
    """
    import gguf

    reader: Reader = run.role("reader", read_gguf)
    folder = Path(run.scratch())
    generator = np.random.default_rng(run.seed)
    needed = {model.info(name).dtype for name in model.names()}
    accepted = decoded = 0
    for code in run.progress(_CODES, len(_CODES)):
        known = code in {int(kind) for kind in gguf.GGMLQuantizationType}
        kind = gguf.GGMLQuantizationType(code) if known else None
        block, size = gguf.GGML_QUANT_SIZES[kind] if kind is not None else (1, 4)
        data = generator.integers(0, 256, _ELEMENTS // block * size, np.uint8)
        (folder / "file.gguf").write_bytes(_head(code) + data.tobytes() + bytes(-data.size % 32))
        try:
            found = reader(open_bytes(folder / "file.gguf"))
        except LoadError:
            run.record("unknown_accepted", 0, label=str(code))
            continue
        accepted += 1
        (name,) = found.names()
        info = found.info(name)
        run.record("unknown_accepted", int(kind is None), label=f"{code} as {info.dtype}")
        if kind is None:
            continue
        needed.discard(kind.name)
        run.record("misnamed", int(info.dtype != kind.name), label=f"{kind.name} as {info.dtype}")
        run.record("wrong_size", int(info.nbytes != data.size), label=kind.name)
        theirs = _decoded(data, kind)
        if info.dtype in DECODED and theirs is not None and info.nbytes == data.size:
            ours = found.tensor(name)
            same = (ours.view(np.uint32) == theirs.view(np.uint32)) | (np.isnan(ours) & np.isnan(theirs))
            run.record("differing_elements", int(same.size - np.count_nonzero(same)), label=kind.name)
            decoded += 1
    run.record("codes", len(_CODES))
    run.record("missing_types", len(needed))
    run.record("accepted", accepted)
    run.record("decoded", decoded)


def _head(code: int) -> bytes:
    """Return the head of a GGUF 3 file of one tensor of 1024 elements and no metadata, padded to 32."""
    head = struct.pack("<4sIQQ", b"GGUF", 3, 1, 0) + struct.pack("<Q", len(_NAME)) + _NAME
    head += struct.pack("<IQIQ", 1, _ELEMENTS, code, 0)
    return head + bytes(-len(head) % 32)


def _decoded(data: Bytes, kind: object) -> Floats | None:
    import gguf

    try:
        with np.errstate(all="ignore"):
            values = gguf.quants.dequantize(data, kind)
    except NotImplementedError:
        return None
    return np.ascontiguousarray(values, np.float32).reshape(-1)


def _code_at() -> int:
    return len(struct.pack("<4sIQQQ", b"", 0, 0, 0, 0)) + len(_NAME) + 4 + 8


@type_codes.counter_example("catch_all", of="reader")
def catch_all(reader: Reader) -> Reader:
    """Take every number that is not known for F32."""

    def lenient(file: FileBytes) -> Checkpoint:
        try:
            return reader(file)
        except LoadError:
            end = _code_at()
            head = file.read(0, end).tobytes() + struct.pack("<I", 0)
            return reader(file.with_head(head, instead_of=end + 4))

    return lenient


@type_codes.counter_example("one_for_another", of="reader")
def one_for_another(reader: Reader) -> Reader:
    """Take Q5_K for Q4_K."""

    def mistaken(file: FileBytes) -> Checkpoint:
        model = reader(file)
        (name,) = model.names()
        info = model.info(name)
        if info.dtype != "Q5_K":
            return model
        other = TensorInfo(name, "Q4_K", info.shape, info.elements // 256 * 144)
        return Overlay(model, replace={name: LazyTensor(other, lambda: model.raw(name)[: other.nbytes])})

    return mistaken


@type_codes.counter_example("bytes_in_another_order", of="reader")
def bytes_in_another_order(reader: Reader) -> Reader:
    """Give a Q6_K tensor's blocks in reverse: name and size are right."""

    def mistaken(file: FileBytes) -> Checkpoint:
        model = reader(file)
        (name,) = model.names()
        info = model.info(name)
        if info.dtype != "Q6_K":
            return model
        backwards = np.ascontiguousarray(model.raw(name).reshape(-1, 210)[::-1]).reshape(-1)
        return Overlay(model, replace={name: LazyTensor(info, lambda: backwards)})

    return mistaken


@type_codes.counter_example("knows_nothing", of="reader")
def knows_nothing(reader: Reader) -> Reader:
    """Refuse every number: nothing is mistaken for anything."""
    del reader

    def never(file: FileBytes) -> Checkpoint:
        raise LoadError("is refused", file.path)

    return never
