"""Rows that are no whole number of blocks: what is written of them must be what others read.

Qwen2.5 0.5B is 896 wide, three and a half super-blocks of 256. ggml has no form for such a row; who fills it
up to 1024 and calls it Q4_K writes a file that others refuse, or read from the wrong place.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pv.check import Metric, Run, check
from pv_runtime.architecture import Architecture
from pv_runtime.compare import cosine
from pv_runtime.convert import convert
from pv_runtime.formats import Checkpoint, TensorInfo
from pv_runtime.formats.gguf_writer import write_gguf
from pv_runtime.names import gguf_name
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes
from pv_runtime.random_model import RandomModel

__all__ = ["Writer", "odd_rows"]

Writer = Callable[[Checkpoint, Path, str], None]

_SMALL = Architecture(
    family="qwen2",
    hidden_size=896,
    intermediate_size=256,
    layers=1,
    heads=2,
    kv_heads=1,
    head_dim=64,
    vocab_size=64,
    max_positions=64,
    rope_theta=1e6,
    rms_norm_eps=1e-6,
    qkv_bias=True,
    tied=True,
)


@check(
    metrics=[
        Metric("expected_matrices", unit="1", kind="count"),
        Metric("odd_matrices", unit="1", kind="count"),
        Metric("reader_ok", unit="1", kind="count"),
        Metric("cosine", unit="1", low=-1.0, high=1.0, slack=1e-12),
        Metric("broken_rows", unit="1", kind="count"),
        Metric("shape_differs", unit="1", kind="count"),
    ]
)
def odd_rows(run: Run, *, quantisation: str, width: int) -> None:
    """Quantise a random model that is `width` wide to GGUF, and read that with PyPI's ``gguf``.

    `odd_matrices` counts those whose rows are no multiple of 256; `broken_rows` is 1 for each matrix whose
    type has blocks that do not divide its rows, by the reader's own table. `reader_ok` is 1 if the reader
    takes the file, and `cosine` is between each matrix as the reader dequantises it and as it was.
    """
    import gguf

    writer: Writer = run.role("writer", _converted)
    folder = Path(run.scratch())
    source = RandomModel(dataclasses.replace(_SMALL, hidden_size=width), run.seed).save(folder)
    names = source.matrices()
    run.record("expected_matrices", len(names))
    run.record("odd_matrices", sum(source.info(name).shape[-1] % 256 != 0 for name in names))
    path = folder / "odd.gguf"
    writer(source, path, quantisation)
    try:
        reader: Any = gguf.GGUFReader(str(path))
    except Exception as error:  # what a stranger's reader raises is not ours to know
        run.record("reader_ok", 0, label=str(error)[:200])
        return
    run.record("reader_ok", 1)
    theirs = {str(tensor.name): tensor for tensor in reader.tensors}
    for name in run.progress(names, len(names)):
        tensor, shape = theirs[gguf_name(name)], source.info(name).shape
        block, _ = gguf.GGML_QUANT_SIZES[tensor.tensor_type]
        label = f"{name}: {tensor.tensor_type.name}"
        run.record("broken_rows", int(shape[-1] % block != 0), label=label)
        same = tuple(int(size) for size in reversed(tensor.shape)) == shape
        run.record("shape_differs", int(not same), label=label)
        if same:
            found = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
            run.record("cosine", cosine(source.tensor(name), found), label=label)


def _converted(source: Checkpoint, path: Path, quantisation: str) -> None:
    convert(source, str(path), quantisation, with_tokenizer=False)


@odd_rows.counter_example("rows_filled_up", of="writer")
def rows_filled_up(_: Writer) -> Writer:
    """Fill each row up to whole blocks, and list the width that it had."""
    return _padding(listed=lambda shape, _: shape)


@odd_rows.counter_example("rows_filled_up_and_listed_so", of="writer")
def rows_filled_up_and_listed_so(_: Writer) -> Writer:
    """Fill each row up to whole blocks, and list that width: a file that is whole, of another model."""
    return _padding(listed=lambda shape, columns: (shape[0], columns))


def _padding(listed: Callable[[tuple[int, ...], int], tuple[int, ...]]) -> Writer:
    def write(source: Checkpoint, path: Path, quantisation: str) -> None:
        form = SCHEMES[quantisation.upper()]
        tensors: list[tuple[TensorInfo, Callable[[], Bytes]]] = []
        for name in source.names():
            info, values = source.info(name), source.tensor(name)
            if len(info.shape) == 2:
                columns = -(-info.shape[1] // form.block_elements) * form.block_elements
                filled = np.zeros((info.shape[0], columns), np.float32)
                filled[:, : info.shape[1]] = values
                raw = form.quantise(filled.reshape(-1))
                info = TensorInfo(name, form.name, listed(info.shape, columns), raw.nbytes)
            else:
                raw = source.raw(name)
            tensors.append((info, functools.partial(np.asarray, raw)))
        write_gguf(str(path), tensors, {"general.architecture": "qwen2", "general.alignment": 32})

    return write
