"""How many bytes a written matrix takes: whole blocks for each row, none padded, in a file read by others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from pv.check import Metric, Run, check
from pv_runtime.convert import convert
from pv_runtime.formats import Checkpoint

__all__ = ["Listed", "row_bytes"]


@dataclasses.dataclass(frozen=True)
class Listed:
    """A tensor as an index lists it: name, type, rows, columns, and bytes to the next one."""

    name: str
    dtype: str
    rows: int
    columns: int
    extent: int


@check(
    metrics=[
        Metric("expected_tensors", unit="1", kind="count"),
        Metric("tensors", unit="1", kind="count"),
        Metric("extent_off", unit="B", kind="count"),
        Metric("columns_left", unit="1", kind="count"),
        Metric("in_blocks", unit="1", kind="count"),
        Metric("fallbacks", unit="1", kind="count"),
    ]
)
def row_bytes(run: Run, *, model: Checkpoint, quantisations: Sequence[str]) -> None:
    """Convert `model` to GGUF by each of `quantisations`, and read the indices by gguf, which is not ours.

    For each tensor `extent_off` is how far its bytes, up to the next tensor's, are from rows times blocks of
    a row times bytes of a block, to the next multiple of 32; `columns_left` is what its rows leave of a
    block. `in_blocks` counts matrices in a format of blocks, `fallbacks` those of another than was asked for.
    """
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    in_blocks = fallbacks = tensors = 0
    listed: dict[str, list[Listed]] = {}
    for quantisation in run.progress(quantisations, len(quantisations)):
        path = Path(run.scratch()) / f"{quantisation}.gguf"
        convert(run.undamaged("model"), str(path), quantisation, with_tokenizer=False)
        listed[quantisation] = _listed(path)
    for quantisation, found in run.role("listed", listed).items():
        for each in found:
            block, size = GGML_QUANT_SIZES[GGMLQuantizationType[each.dtype]]
            expected = each.rows * -(-each.columns // block) * size
            label = f"{quantisation}: {each.name} {each.dtype} [{each.rows}, {each.columns}]"
            run.record("extent_off", abs(each.extent - expected - -expected % 32), label=label)
            run.record("columns_left", each.columns % block, label=label)
            in_blocks += block > 1
            fallbacks += block > 1 and each.dtype != quantisation.upper()
            tensors += 1
    run.record("expected_tensors", len(quantisations) * len(model.names()))
    run.record("tensors", tensors)
    run.record("in_blocks", in_blocks)
    run.record("fallbacks", fallbacks)


def _listed(path: Path) -> list[Listed]:
    import gguf

    tensors = sorted(gguf.GGUFReader(str(path)).tensors, key=lambda tensor: int(tensor.data_offset))
    ends = [*(int(tensor.data_offset) for tensor in tensors[1:]), path.stat().st_size]
    found = []
    for tensor, end in zip(tensors, ends, strict=True):
        columns, rows = [*(int(size) for size in tensor.shape), 1][:2]
        found.append(
            Listed(str(tensor.name), tensor.tensor_type.name, rows, columns, end - int(tensor.data_offset))
        )
    return found


Indices = dict[str, list[Listed]]


def _first(listed: Indices, **changes: object) -> Indices:
    """Change the first matrix of the first index."""
    (name, found), *others = listed.items()
    place = next(number for number, each in enumerate(found) if each.rows > 1)
    altered = dataclasses.replace(found[place], **changes)  # type: ignore[arg-type]
    return {name: [*found[:place], altered, *found[place + 1 :]], **dict(others)}


@row_bytes.counter_example("short_rows_called_q4_k", of="listed")
def short_rows_called_q4_k(listed: Indices) -> Indices:
    """List a matrix whose rows are no multiple of 256 as Q4_K, with the bytes of rows padded to one."""
    (found, *_) = listed.values()
    each = next(each for each in found if each.rows > 1 and each.columns % 256)
    return _first(
        listed, dtype="Q4_K", columns=each.columns, extent=each.rows * -(-each.columns // 256) * 144
    )


@row_bytes.counter_example("one_row_cut_off", of="listed")
def one_row_cut_off(listed: Indices) -> Indices:
    """End a matrix one row too early."""
    (found, *_) = listed.values()
    each = next(each for each in found if each.rows > 1)
    return _first(listed, extent=each.extent - each.extent // each.rows)


@row_bytes.counter_example("one_index_empty", of="listed")
def one_index_empty(listed: Indices) -> Indices:
    """Read nothing from the last file."""
    return {**listed, [*listed][-1]: []}
