"""What wrappers ask of their tensors before they launch: type, device, shape, layout; refused by name."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pv_kernels.dtypes import FLOATS
from pv_kernels.errors import LayoutError, ShapeError, UnknownDtypeError

__all__ = ["buffer", "overlap", "per_row", "rows", "same", "same_shape"]


def same(**tensors: Tensor) -> torch.dtype:
    """Return the element type that all of `tensors` have, on one device.

    Raises
    ------
    UnknownDtypeError
        It is none that activations are kept in, or two differ in it.
    LayoutError
        Two are on different devices.
    """
    (first, leader), *others = tensors.items()
    if leader.dtype not in FLOATS:
        raise UnknownDtypeError(f"{first} is {leader.dtype}; wanted is one of {', '.join(map(str, FLOATS))}")
    for name, tensor in others:
        if tensor.dtype != leader.dtype:
            raise UnknownDtypeError(f"{name} is {tensor.dtype} and {first} is {leader.dtype}; convert one")
        if tensor.device != leader.device:
            raise LayoutError(f"{name} is on {tensor.device} and {first} on {leader.device}; move one")
    return leader.dtype


def same_shape(**tensors: Tensor) -> None:
    """Refuse shapes that differ: nothing is broadcast.

    Raises
    ------
    ShapeError
        With the two names and shapes.
    """
    (first, leader), *others = tensors.items()
    for name, tensor in others:
        if tensor.shape != leader.shape:
            raise ShapeError(f"{name} is {list(tensor.shape)} and {first} {list(leader.shape)}; wanted alike")


def rows(name: str, tensor: Tensor) -> Tensor:
    """Return `tensor` ``[..., columns]`` as ``[rows, columns]`` without moving it.

    Raises
    ------
    ShapeError
        It has no dimension.
    LayoutError
        The elements of a row do not follow each other, or rows lie at distances that are not all the same.
    """
    if tensor.ndim == 0:
        raise ShapeError(f"{name} has no dimension; wanted are rows")
    columns = tensor.shape[-1]
    if columns > 1 and tensor.stride(-1) != 1:
        raise LayoutError(
            f"{name}: elements of a row lie {tensor.stride(-1)} apart; call .contiguous() on it first"
        )
    try:
        return tensor.view(math.prod(tensor.shape[:-1]), columns)
    except RuntimeError:
        raise LayoutError(
            f"{name} {list(tensor.shape)} has strides {list(tensor.stride())}, so that its rows are not"
            " equally far apart; call .contiguous() on it first"
        ) from None


def per_row(name: str, tensor: Tensor, x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return `tensor`, which has one element of `dtype` for each row of `x`, as ``[rows]``.

    Raises
    ------
    UnknownDtypeError, ShapeError, LayoutError
        It has another type or shape, its elements do not follow each other, or it is on another device.
    """
    if tensor.dtype != dtype:
        raise UnknownDtypeError(f"{name} is {tensor.dtype}; wanted is {dtype}; convert it")
    if tensor.shape != x.shape[:-1]:
        raise ShapeError(f"{name} is {list(tensor.shape)}; wanted is one for each row of {list(x.shape)}")
    if tensor.device != x.device:
        raise LayoutError(f"{name} is on {tensor.device} and the rows on {x.device}; move one")
    if not tensor.is_contiguous():
        raise LayoutError(f"{name} has strides {list(tensor.stride())}; call .contiguous() on it first")
    return tensor.view(-1)


def buffer(name: str, given: Tensor | None, like: Tensor) -> Tensor:
    """Return `given`, which a result of the shape and type of `like` can be written into, or a new one.

    Raises
    ------
    ShapeError, UnknownDtypeError, LayoutError
        It is not as `like`, or several of its elements share one place.
    """
    if given is None:
        return torch.empty(like.shape, dtype=like.dtype, device=like.device)
    same(like=like, **{name: given})
    same_shape(like=like, **{name: given})
    reach = 0
    for length, stride in sorted(zip(given.shape, given.stride(), strict=True), key=lambda pair: pair[1]):
        if length > 1 and stride <= reach:
            raise LayoutError(f"{name}: elements share memory, strides {list(given.stride())}")
        reach += (length - 1) * stride
    return given


def overlap(one: Tensor, other: Tensor) -> bool:
    """Return whether the two share any memory between their first and last elements."""
    if one.numel() == 0 or other.numel() == 0:
        return False
    spans = [
        (tensor.data_ptr(), tensor.data_ptr() + tensor.element_size() * _reach(tensor))
        for tensor in (one, other)
    ]
    return spans[0][0] < spans[1][1] and spans[1][0] < spans[0][1]


def _reach(tensor: Tensor) -> int:
    return 1 + sum(
        (length - 1) * stride for length, stride in zip(tensor.shape, tensor.stride(), strict=True)
    )
