"""``apr inspect FILE``: what a model file says it holds, read from its header alone."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pv_runtime.commands.output import require, show
from pv_runtime.errors import printable, printable_json

if TYPE_CHECKING:
    from pv_runtime.formats import Checkpoint

__all__ = ["describe", "lines", "register"]

_CHECKSUM = {True: "that of the bytes", False: "NOT that of the bytes", None: "the file has none"}

_PROVENANCE = ("license", "data_source", "data_license")
"""Always shown, also where the file does not state them: what is not seen to be missing is not missed."""

_SHOWN = 8
"""Elements of a longer array that are shown; its length says how many there are."""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "inspect",
        help="show what a model file holds",
        description="Show format, architecture, metadata and tensors of a safetensors, GGUF or APR file. "
        "Only headers are read, but with --weights and --verify.",
    )
    parser.add_argument(
        "file", metavar="FILE", help="the file, the index or first part of several, or a folder of one model"
    )
    parser.add_argument("--filter", metavar="TEXT", help="list only tensors whose name contains TEXT")
    parser.add_argument("--vocab", action="store_true", help="list the tokens, too")
    parser.add_argument(
        "--weights", action="store_true", help="read the tensors, too, and say what values they have"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="read the whole file and compare it with the checksum at its end",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="for people or programs")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="--format json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report; raises `LoadError` for a file that is broken, `FileNotFoundError` for none."""
    from pv_runtime.formats import open_checkpoint

    require(arguments.file)
    model = open_checkpoint(arguments.file)
    if arguments.filter is not None and not any(arguments.filter in name for name in model.names()):
        print(f"error: no tensor's name contains {printable(arguments.filter)!r}", file=sys.stderr)
        return 2
    report = describe(
        model,
        arguments.filter or "",
        vocabulary=arguments.vocab,
        weights=arguments.weights,
        verify=arguments.verify,
    )
    if arguments.format == "json":
        show(printable_json(json.dumps(report, indent=2, allow_nan=False)))
    else:
        show("\n".join(lines(report)))
    if report.get("footer_checksum_valid") is False:
        where = printable(report["path"])
        print(
            f"error: {where}: does not have the checksum that its last bytes state\n    fetch it again",
            file=sys.stderr,
        )
        return 1
    return 0


def describe(
    model: Checkpoint,
    contains: str = "",
    *,
    vocabulary: bool = False,
    weights: bool = False,
    verify: bool = False,
) -> dict[str, Any]:
    """Collect what is printed, as values of JSON; ``docs/apr-json.md`` says what each key means.

    Parameters
    ----------
    model
        What to describe.
    contains
        Only tensors whose name contains this are listed; the totals are of all.
    vocabulary
        Whether to decode the tokens and list them.
    weights
        Whether to read the listed tensors and say what values they have.
    verify
        Whether to read the whole file and compare it with the checksum at its end, where it has one.

    Raises
    ------
    LoadError
        A part of the file that is read here is broken.
    """
    from pv_runtime import summary
    from pv_runtime.stamp import FIELDS
    from pv_runtime.tokenizer_beside import tokenizer_beside

    carried, beside = summary.tokenizer(model.metadata), tokenizer_beside(model)
    infos = [model.info(name) for name in model.names()]
    report: dict[str, Any] = {
        "schema_version": 2,
        "format": model.format,
        "version": getattr(model, "version", None),
        "path": model.path,
        "files": list(getattr(model, "files", (model.path,))),
        "architecture": summary.architecture(model.metadata),
        "tensor_count": len(infos),
        "total_params": sum(info.elements for info in infos),
        "tensor_bytes": sum(info.nbytes for info in infos),
        "dtypes": summary.dtype_table(model),
        "tied_embeddings": summary.tied_embeddings(model),
        "tokenizer": _plain(carried or (beside.said if beside else None)),
        "tokenizer_file": beside.path if beside and not carried else None,
        "notes": summary.notes(model) + ([beside.trouble] if beside and beside.trouble else []),
        "not_understood": summary.not_understood(model),
        "provenance": {
            key: _plain(model.metadata.get(FIELDS[key] if model.format == "gguf" else key))
            for key in _PROVENANCE
        },
        "metadata": {key: _plain(value) for key, value in model.metadata.items()},
        "tensors": [
            {"name": info.name, "dtype": info.dtype, "shape": list(info.shape), "bytes": info.nbytes}
            for info in infos
            if contains in info.name
        ],
    }
    if weights:
        _add_weights(model, report["tensors"])
    if vocabulary:
        key = summary.vocabulary_key(model.metadata)
        tokens = model.metadata[key] if key is not None else beside.tokens if beside else None
        report["vocabulary"] = list(tokens) if isinstance(tokens, Sequence) else None
    if verify:
        report["footer_checksum_valid"] = _footer_valid(model)
    return report


def _footer_valid(model: Checkpoint) -> bool | None:
    from pv_runtime.formats.apr import AprCheckpoint, footer_matches

    return footer_matches(model) if isinstance(model, AprCheckpoint) else None


def _add_weights(model: Checkpoint, tensors: Iterable[dict[str, Any]]) -> None:
    """Add ``values`` to each tensor: figures, or None where its dtype is not decoded or is packed."""
    from pv_runtime.formats.packing import packed_tensors
    from pv_runtime.summary import is_decoded
    from pv_runtime.weight_statistics import weight_statistics

    packed = packed_tensors(model.names(), model.metadata)
    for tensor in tensors:
        meant = is_decoded(tensor["dtype"]) and tensor["name"] not in packed
        found = weight_statistics(model, tensor["name"]) if meant else None
        tensor["values"] = None if found is None else _plain(dataclasses.asdict(found))


def _plain(value: object) -> Any:
    """Return `value` as JSON can hold it; long arrays as their length and first elements."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        # An array of GGUF decodes only as far as it is asked to.
        first = getattr(value, "first", lambda count: value[:count])
        items = [_plain(item) for item in first(_SHOWN)]
        return items if len(value) <= _SHOWN else {"length": len(value), "first": items}
    return value


def lines(report: Mapping[str, Any]) -> Iterable[str]:
    """Yield what a person is shown of a report of `describe`."""
    yield f"{printable(report['path'])}: {report['format']}"
    if len(report["files"]) > 1:
        yield f"  files         {len(report['files'])}"
    yield f"  architecture  {printable(report['architecture'] or 'not stated')}"
    dtypes = ", ".join(f"{row['tensors']} {dtype}" for dtype, row in report["dtypes"].items()) or "none"
    yield f"  tensors       {report['tensor_count']} ({dtypes})"
    yield f"  parameters    {report['total_params']:,}"
    yield f"  tensor bytes  {report['tensor_bytes']:,}"
    for dtype, row in report["dtypes"].items():
        yield f"    {dtype:<11} {row['bytes']:,} for {row['params']:,} parameters"
    if report["version"]:
        yield f"  version       {printable(report['version'])}"
    if report["tied_embeddings"] is not None:
        tied = report["tied_embeddings"]
        yield f"  head          {'tied to the embedding' if tied else 'a tensor of its own'}"
    if report["tokenizer"]:
        where = f", in {report['tokenizer_file']}" if report["tokenizer_file"] else ""
        yield f"  tokenizer     {_tokenizer(report['tokenizer'])}{printable(where)}"
    if "footer_checksum_valid" in report:
        yield f"  checksum      {_CHECKSUM[report['footer_checksum_valid']]}"
    for note in report["notes"]:
        yield f"  note          {printable(note)}"
    for each in report["not_understood"]:
        yield f"  {_not_understood(each)}"
    yield "provenance"
    for key, value in report["provenance"].items():
        yield f"  {key:<13} {'(missing)' if value is None else printable(str(value))}"
    if report["metadata"]:
        yield "metadata"
    for key, value in report["metadata"].items():
        yield f"  {printable(key)} = {printable(json.dumps(value, ensure_ascii=False))}"
    yield from _tensor_lines(report["tensors"])
    if "vocabulary" in report and report["vocabulary"] is None:
        yield "vocabulary: none is carried"
    if report.get("vocabulary"):
        yield "vocabulary"
        yield from (f"  {number:>7}  {printable(json.dumps(token, ensure_ascii=False))}"
                    for number, token in enumerate(report["vocabulary"]))  # fmt: skip


def _tokenizer(said: Mapping[str, Any]) -> str:
    model = " ".join(str(said[key]) for key in ("model", "pre") if said[key] is not None)
    counts = ", ".join(f"{said[key]:,} {key}" for key in ("tokens", "merges") if said[key] is not None)
    return printable(f"{model or 'of no stated model'}, {counts}")


def _not_understood(each: Mapping[str, Any]) -> str:
    said = {
        "dtype": f"not decoded   {each['tensors']} of dtype {each['what']}, compared as bytes",
        "packing": f"not unpacked  {each['tensors']} packed by {each['what']}, compared as bytes",
        "name": f"other names   {each['tensors']} that the formats share no name for",
    }[each["kind"]]
    return printable(f"{said}, first {each['first']}")


def _tensor_lines(tensors: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    rows = [
        (printable(each["name"]), each["dtype"], "x".join(map(str, each["shape"])), f"{each['bytes']:,}")
        for each in tensors
    ]
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    yield "tensors"
    for (name, dtype, shape, size), each in zip(rows, tensors, strict=True):
        line = f"  {name:<{widths[0]}}  {dtype:<{widths[1]}}  {shape:>{widths[2]}}  {size:>{widths[3]}} B"
        yield line + (f"  {_values(each['values'])}" if "values" in each else "")


def _values(values: Mapping[str, Any] | None) -> str:
    if values is None:
        return "not decoded"
    odd = ", ".join(f"{values[key]:,} {key}" for key in ("zeros", "nan", "infinite") if values[key])
    if values["mean"] is None:
        return f"no finite value{', ' + odd if odd else ''}"
    low, high, mean, std = (f"{values[key]:.4g}" for key in ("minimum", "maximum", "mean", "std"))
    return f"{low} to {high}, mean {mean}, std {std}" + (f", {odd}" if odd else "")
