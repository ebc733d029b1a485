"""Builders of what a publisher exports: a quantised model as APR and that as GGUF, with its tokenizer."""

from __future__ import annotations

from pathlib import Path

from pv_runtime.convert import convert
from pv_runtime.export import export
from pv_runtime.formats import open_checkpoint

__all__ = ["exported_gguf", "quantised_apr"]


def quantised_apr(source: str, output: str, *, quantisation: str) -> None:
    """Write the model in the folder `source` as APR, its matrices as `quantisation` says.

    Raises
    ------
    LoadError
        The source or its tokenizer cannot be read, or is of a kind that has no counterpart in APR.
    QuantisationError
        A value cannot be represented.
    """
    convert(open_checkpoint(source), output, quantisation, form="apr", folder=Path(source))


def exported_gguf(source: str, output: str) -> None:
    """Write the file `source` as GGUF: every tensor as it is, and the tokenizer that it carries.

    Raises
    ------
    LoadError
        The source cannot be read, or has no exact counterpart in GGUF.
    """
    export(open_checkpoint(source), output, "gguf")
