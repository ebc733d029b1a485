"""What is read of a model file that was accepted: all that the commands read of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pv_runtime.commands.inspect import describe, lines
from pv_runtime.config import config_of, expected_tensors
from pv_runtime.errors import LoadError, ModelError, QuantisationError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.checkpoint import Checkpoint
from pv_runtime.vocabulary import apr_vocabulary, gguf_vocabulary

__all__ = ["ERRORS", "read_model"]

ERRORS = (LoadError, ModelError, QuantisationError)


def read_model(path: Path) -> None:
    """Open a model file and read every key and every value of it.

    Raises
    ------
    LoadError
        It, or a part of it, is broken: the one error that any of this may end in.
    """
    model = open_checkpoint(path)
    for value in model.metadata.values():
        if isinstance(value, Sequence):
            list(value)
    for name in model.names():
        if model.raw(name).size != model.info(name).nbytes:
            raise AssertionError(f"{name} has other bytes than it says")
    for part in (_values, _report, _configuration, _vocabulary):
        try:
            part(model)
        except ERRORS as error:
            if not str(error):
                raise AssertionError("an error without a message") from error


def _values(model: Checkpoint) -> None:
    for name in model.names():
        try:
            shape = model.tensor(name).shape
        except LoadError:
            continue
        if shape != model.info(name).shape:
            raise AssertionError(f"{name} is decoded to another shape than it says")


def _report(model: Checkpoint) -> None:
    report = describe(model, vocabulary=True, weights=True, verify=True)
    json.dumps(report, allow_nan=False)
    if not all(each == "\n" or each.isprintable() for each in "\n".join(lines(report))):
        raise AssertionError("the report holds what drives a terminal")


def _configuration(model: Checkpoint) -> None:
    expected_tensors(config_of(model))


def _vocabulary(model: Checkpoint) -> None:
    readers = {"gguf": gguf_vocabulary, "apr": apr_vocabulary}
    if model.format in readers:
        readers[model.format](model.metadata, model.path)
