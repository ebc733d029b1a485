"""What is needed of llama.cpp's libraries beyond llama-cpp-python: the values of a graph's nodes."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import importlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pv_runtime.errors import ModelError

__all__ = ["Node", "complaints", "library", "node_of", "read_node", "write_node"]


class _Head(ctypes.Structure):
    """The first fields of ``struct ggml_tensor`` (ggml.h), which have stood so since 2023."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A node of the graph that is being computed.

    Parameters
    ----------
    address
        Of its ``ggml_tensor``.
    name
        ``attn_norm-3`` and the like.
    operation
        ``MUL_MAT``, ``ROPE``, …
    shape
        Innermost dimension first, as ggml lists them.
    """

    address: int
    name: str
    operation: str
    shape: tuple[int, int, int, int]


_LOG: list[str] = []
_KEPT: list[object] = []
"""Callbacks that the library holds pointers to."""


@functools.cache
def library() -> tuple[Any, Any]:
    """Return llama-cpp-python's bindings and ggml's base library, silenced.

    Raises
    ------
    ModelError
        llama-cpp-python is not installed, or does not work here.
    """
    try:
        bindings = importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelError(
            f"the back-end llama.cpp needs llama-cpp-python (pip install llama-cpp-python): {error}"
        ) from error
    folder = Path(str(bindings.__file__)).parent / "lib"
    base = ctypes.CDLL(str(folder / "libggml-base.so"))
    for name in ("ggml_get_name", "ggml_op_desc"):
        getattr(base, name).restype = ctypes.c_char_p
        getattr(base, name).argtypes = [ctypes.c_void_p]
    for name in ("ggml_backend_tensor_get", "ggml_backend_tensor_set"):
        getattr(base, name).restype = None
        getattr(base, name).argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]

    @bindings.llama_log_callback  # type: ignore[untyped-decorator, unused-ignore]
    def keep(_level: int, text: bytes, _data: int | None) -> None:
        _LOG.append(text.decode(errors="replace"))
        del _LOG[:-20]

    _KEPT.append(keep)
    bindings.llama_log_set(keep, None)
    bindings.llama_backend_init()
    return bindings, base


def complaints() -> str:
    """Return the last line of the log that speaks of an error."""
    lines = "".join(_LOG).splitlines()
    return next((line.strip() for line in reversed(lines) if "error" in line), "it does not say why")


def node_of(address: int) -> Node:
    """Describe the ``ggml_tensor`` at `address`."""
    _, base = library()
    head = _Head.from_address(address)
    name, operation = base.ggml_get_name(address), base.ggml_op_desc(address)
    first, second, third, fourth = head.ne
    return Node(address, name.decode(errors="replace"), operation.decode(), (first, second, third, fourth))


def _whole(node: Node) -> int:
    """Return the bytes of a node of float32 without gaps."""
    head, expected = _Head.from_address(node.address), 4
    if head.type != 0:
        raise ModelError(f"llama.cpp's {node.name} is of type {head.type}, and float32 was expected")
    for count, stride in zip(head.ne, head.nb, strict=True):
        if count > 1 and stride != expected:
            raise ModelError(f"llama.cpp's {node.name} does not lie in one piece")
        expected *= count
    return expected


def read_node(node: Node) -> Tensor:
    """Copy the values of `node`, just computed: float32, flat."""
    size = _whole(node)
    values = torch.empty(size // 4, dtype=torch.float32)
    library()[1].ggml_backend_tensor_get(node.address, values.data_ptr(), 0, size)
    return values


def write_node(node: Node, values: Tensor) -> None:
    """Put `values`, as many as `read_node` returns, where the rest of the graph reads them."""
    size = _whole(node)
    values = values.to(torch.float32).contiguous()
    if values.numel() * 4 != size:
        raise ModelError(f"llama.cpp's {node.name} has {size // 4} values, and is given {values.numel()}")
    library()[1].ggml_backend_tensor_set(node.address, values.data_ptr(), 0, size)
