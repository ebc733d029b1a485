"""Tensors laid out in memory as tests want them."""

from __future__ import annotations

import ctypes
import math
import mmap
from pathlib import Path

import torch
from pv_kernels.spec import Arguments, Results
from torch import Tensor

PAGE = mmap.PAGESIZE
SENTINEL = -7.0
"""What lies beside a buffer, and must lie there afterwards."""


def rowwise(arguments: Arguments, expected: Results) -> dict[str, Tensor]:
    """Return the tensors that have the rows of the results: activations, not weights or tables."""
    return {
        name: value
        for name, value in arguments.items()
        if isinstance(value, Tensor) and value.ndim >= 2 and value.shape[0] == expected[0].shape[0]
    }


def apart(tensor: Tensor, *, padding: int, offset: int) -> Tensor:
    """Return `tensor` with `padding` elements between its rows, `offset` elements into its memory."""
    wide = (*tensor.shape[:-1], tensor.shape[-1] + padding)
    place = torch.full((math.prod(wide) + offset,), SENTINEL, dtype=tensor.dtype)
    strides = torch.empty(wide, device="meta").stride()
    view = place.as_strided(tensor.shape, strides, offset)
    return view.copy_(tensor)


def beside(view: Tensor) -> Tensor:
    """Return the elements of the memory of `view` that are not its own."""
    place = torch.empty(0, dtype=view.dtype).set_(view.untyped_storage())
    mine = torch.zeros(place.shape, dtype=torch.bool)
    mine.as_strided(view.shape, view.stride(), view.storage_offset()).fill_(True)
    return place[~mine]


def far_apart(tensor: Tensor, file: Path, stride: int) -> Tensor:
    """Return `tensor` with its first dimension `stride` elements apart, in a sparse file."""
    elements = (tensor.shape[0] - 1) * stride + tensor[0].numel()
    place = torch.from_file(str(file), shared=True, size=elements, dtype=tensor.dtype)
    view = place.as_strided(tensor.shape, (stride, *tensor.contiguous().stride()[1:]), 0)
    return view.copy_(tensor)


def against_guard(tensor: Tensor, *, end: bool) -> Tensor:
    """Return `tensor` right before a page that cannot be touched, or, without `end`, right behind one."""
    size = tensor.numel() * tensor.element_size()
    pages = max(1, -(-size // PAGE))
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    for page in (0, pages + 1):
        assert libc.mprotect(ctypes.c_void_p(address + page * PAGE), PAGE, 0) == 0
    offset = PAGE + (pages * PAGE - size if end else 0)
    place = torch.frombuffer(memory, dtype=tensor.dtype, count=tensor.numel(), offset=offset)
    return place.view(tensor.shape).copy_(tensor)
