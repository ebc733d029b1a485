"""Builders of APR files: a model as APR, and the same with its licence and origin stamped on it."""

from __future__ import annotations

from pv_runtime.export import export
from pv_runtime.formats import open_checkpoint
from pv_runtime.stamp import licence, stamp

__all__ = ["apr", "stamped"]


def apr(source: str, output: str) -> None:
    """Write the model in the folder `source` (weights and config.json) as APR, every tensor as it is.

    Raises
    ------
    LoadError
        The source cannot be read, or has no exact counterpart in APR.
    """
    export(open_checkpoint(source), output, "apr", with_tokenizer=False)


def stamped(source: str, output: str, *, license: str, data_source: str, data_license: str) -> None:  # noqa: A002 - the field's name
    """Write a copy of the file `source` that says where it comes from and how it is licensed.

    Raises
    ------
    LoadError
        The source cannot be read.
    ValueError
        A licence is no SPDX expression.
    """
    fields = {
        "license": licence(license),
        "data_source": data_source,
        "data_license": licence(data_license),
    }
    stamp(open_checkpoint(source), output, fields)
