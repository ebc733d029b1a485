"""``apr inspect FILE``: what a model file says it holds, read from its header alone."""

from __future__ import annotations

import argparse
import errno
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pv_runtime.errors import printable

if TYPE_CHECKING:
    from pv_runtime.formats import Checkpoint

__all__ = ["register"]

_SHOWN = 8
"""Elements of a longer array that are shown; its length says how many there are."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "inspect",
        help="show what a model file holds",
        description="Show format, architecture, metadata and tensors of a safetensors or GGUF file.",
    )
    parser.add_argument("file", metavar="FILE", help="the file, or a folder that holds exactly one")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="for people or programs")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="--format json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report; raises `LoadError` for a file that is broken, `FileNotFoundError` for none."""
    from pv_runtime.formats import open_checkpoint

    if not os.path.lexists(arguments.file):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments.file)
    report = describe(open_checkpoint(arguments.file))
    if arguments.format == "json":
        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        print("\n".join(_lines(report)))
    return 0


def describe(model: Checkpoint) -> dict[str, Any]:
    """Collect what is printed, as values of JSON; keys are stable from one version to the next."""
    infos = [model.info(name) for name in model.names()]
    return {
        "schema_version": 1,
        "format": model.format,
        "path": model.path,
        "architecture": _architecture(model.metadata),
        "tensor_count": len(infos),
        "total_params": sum(info.elements for info in infos),
        "tensor_bytes": sum(info.nbytes for info in infos),
        "dtypes": dict(sorted(Counter(info.dtype for info in infos).items())),
        "metadata": {key: _plain(value) for key, value in model.metadata.items()},
        "tensors": [
            {"name": info.name, "dtype": info.dtype, "shape": list(info.shape), "bytes": info.nbytes}
            for info in infos
        ],
    }


def _architecture(metadata: Mapping[str, object]) -> str | None:
    """Return the architecture's name where the file states one."""
    config = metadata.get("config")
    stated = config.get("model_type") if isinstance(config, Mapping) else None
    found = metadata.get("general.architecture", stated)
    return found if isinstance(found, str) else None


def _plain(value: object) -> Any:
    """Return `value` as JSON can hold it; long arrays as their length and first elements."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [_plain(item) for item in value[:_SHOWN]]
        return items if len(value) <= _SHOWN else {"length": len(value), "first": items}
    return value


def _lines(report: Mapping[str, Any]) -> Iterable[str]:
    yield f"{printable(report['path'])}: {report['format']}"
    yield f"  architecture  {printable(report['architecture'] or 'not stated')}"
    dtypes = ", ".join(f"{count} {dtype}" for dtype, count in report["dtypes"].items()) or "none"
    yield f"  tensors       {report['tensor_count']} ({dtypes})"
    yield f"  parameters    {report['total_params']:,}"
    yield f"  tensor bytes  {report['tensor_bytes']:,}"
    if report["metadata"]:
        yield "metadata"
    for key, value in report["metadata"].items():
        yield f"  {printable(key)} = {printable(json.dumps(value, ensure_ascii=False))}"
    rows = [
        (printable(each["name"]), each["dtype"], "x".join(map(str, each["shape"])), f"{each['bytes']:,}")
        for each in report["tensors"]
    ]
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    yield "tensors"
    for name, dtype, shape, size in rows:
        yield f"  {name:<{widths[0]}}  {dtype:<{widths[1]}}  {shape:>{widths[2]}}  {size:>{widths[3]}} B"
