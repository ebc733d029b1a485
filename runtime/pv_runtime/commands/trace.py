"""``apr trace MODEL``: what the values of every stage of a forward pass are like."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_runtime.commands.output import print_interpreted, require
from pv_runtime.commands.run import DEVICES, DTYPES, MOST_THREADS, token_ids
from pv_runtime.errors import LoadError, ModelError, printable, printable_json, printable_lines

if TYPE_CHECKING:
    from pv_runtime.architecture import Architecture
    from pv_runtime.formats import Checkpoint
    from pv_runtime.stage_names import StageKey
    from pv_runtime.tokenizer import Tokenizer
    from pv_runtime.trace import Watched
    from pv_runtime.trace_origin import TraceOrigin
    from pv_runtime.trace_writer import Keep

__all__ = ["register"]

PROMPT = "What is 2+2?"
"""The prompt of ``--payload`` by itself; what aprender's `apr trace` takes."""
FAULTY, USAGE = 1, 2


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "trace",
        help="watch the stages of a forward pass",
        description="Compute a model on a prompt and say of every stage what its values are like, for all "
        "tokens and for the last one. Without a prompt nothing is computed, and the stages are listed. "
        "Ends with 1 where a value is not finite or a stage is dead. A stage is written as layer-3/ffn_out, "
        "or embedding; docs/trace-json.md describes them all.",
    )
    parser.add_argument("model", metavar="MODEL", help="a file, or a folder that holds exactly one model")
    prompt = parser.add_argument_group("the prompt")
    prompt.add_argument(
        "--payload", metavar="PROMPT", nargs="?", const=PROMPT, help=f"a text; {PROMPT!r} by itself"
    )
    prompt.add_argument(
        "--token-ids", "--tokens", metavar="IDS", help="token ids, with commas or blanks between"
    )
    prompt.add_argument("--tokenizer", metavar="DIR", help="take tokenizer.json from DIR, not from the model")
    which = parser.add_argument_group("what is shown and kept")
    which.add_argument("--layer", metavar="N|A..B", help="of this layer or these, both ends taken, alone")
    which.add_argument("--stages", metavar="LIST", help="of these stages alone: ffn_gate,ffn_up")
    which.add_argument("--save-tensor", metavar="STAGES", help="keep the values of these stages, or of all")
    which.add_argument(
        "--save-dir", "--save-tensor-dir", metavar="DIR", help="where; a new or an empty folder"
    )
    which.add_argument(
        "--save-as", choices=["aprt", "safetensors"],
        help="a file a stage in float32 (aprt, the default), or DIR/trace.safetensors in the dtype of the "
        "computation",
    )  # fmt: skip
    which.add_argument("--force", action="store_true", help="replace the trace that DIR holds")
    how = parser.add_argument_group("how it is computed")
    how.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="of weights and computation (float32)"
    )
    how.add_argument(
        "--backend", metavar="NAME", default="reference",
        help="whose forward pass: reference or triton (ours), transformers or llama.cpp",
    )  # fmt: skip
    how.add_argument("--device", choices=DEVICES, default="cpu", help="where it is computed (cpu)")
    how.add_argument("--threads", type=int, metavar="N", help="of the processor; all cores by default")
    how.add_argument(
        "--one-layer-at-a-time", action="store_true",
        help="decode each block's weights when it is computed: slow, for models that do not fit in memory",
    )  # fmt: skip
    parser.add_argument("--format", choices=["text", "json"], default="text", help="for people or programs")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="--format json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 1 where something cannot be right, 2 for a command line that asks for two things."""
    require(arguments.model)
    if problem := _contradiction(arguments):
        print(printable_lines(f"error: {problem}"), file=sys.stderr)
        return USAGE
    from pv_runtime.architecture import architecture_of
    from pv_runtime.formats import open_checkpoint
    from pv_runtime.trace_report import lines, skeleton

    model = open_checkpoint(arguments.model)
    architecture = architecture_of(model)
    try:
        measured = _chosen(arguments, architecture, arguments.stages)
        kept = (
            _chosen(arguments, architecture, arguments.save_tensor) if arguments.save_dir is not None else {}
        )
    except ValueError as error:
        print(printable_lines(f"error: {error}"), file=sys.stderr)
        return USAGE
    outline = skeleton(model, architecture, measured, arguments.dtype)
    report = (
        _computed(arguments, model, architecture, outline, measured, kept) if _asked(arguments) else outline
    )
    if arguments.format == "json":
        print(printable_json(json.dumps(report, indent=2, allow_nan=False)))
    else:
        print("\n".join(lines(report)))
    return FAULTY if any(each["severity"] == "defect" for each in report["anomalies"] or ()) else 0


def _asked(arguments: argparse.Namespace) -> bool:
    return arguments.payload is not None or arguments.token_ids is not None


def _contradiction(arguments: argparse.Namespace) -> str | None:
    if arguments.payload is not None and arguments.token_ids is not None:
        return "--payload and --token-ids are two ways of giving one prompt"
    if (arguments.save_tensor is None) != (arguments.save_dir is None):
        return "--save-tensor says which stages are kept and --save-dir where: give both"
    if arguments.save_tensor is not None and not _asked(arguments):
        return "there is nothing to keep without a prompt: give --payload or --token-ids"
    if arguments.save_dir == "":
        return "--save-dir names no folder"
    if arguments.save_dir is None and (arguments.force or arguments.save_as is not None):
        return f"{'--force' if arguments.force else '--save-as'} is of what is kept: say --save-dir, too"
    computing = {
        "--backend": arguments.backend != "reference",
        "--device": arguments.device != "cpu",
        "--tokenizer": arguments.tokenizer is not None,
        "--one-layer-at-a-time": arguments.one_layer_at_a_time,
        "--threads": arguments.threads is not None,
    }
    if not _asked(arguments) and any(computing.values()):
        named = next(name for name, given in computing.items() if given)
        return f"{named} changes nothing where nothing is computed: give --payload or --token-ids, too"
    if arguments.threads is not None and not 1 <= arguments.threads <= MOST_THREADS:
        return f"--threads cannot be {arguments.threads}"
    if arguments.one_layer_at_a_time and arguments.device != "cpu":
        return "--one-layer-at-a-time is of the processor's memory: drop it, or --device"
    if arguments.one_layer_at_a_time and arguments.backend != "reference":
        return f"{printable(arguments.backend)} loads a model whole: drop --one-layer-at-a-time"
    return None


def _chosen(
    arguments: argparse.Namespace, architecture: Architecture, stages: str | None
) -> dict[StageKey, int]:
    from pv_runtime.stage_names import chosen_layers, chosen_stages
    from pv_runtime.trace import chosen

    layers = None if arguments.layer is None else chosen_layers(arguments.layer, architecture.layers)
    return chosen(architecture, None if stages in {None, "all"} else chosen_stages(stages), layers)


def _computed(
    arguments: argparse.Namespace,
    model: Checkpoint,
    architecture: Architecture,
    outline: Mapping[str, Any],
    measured: Mapping[StageKey, int],
    kept: Mapping[StageKey, int],
) -> dict[str, Any]:
    from pv_runtime.anomalies import anomalies
    from pv_runtime.trace import trace
    from pv_runtime.trace_report import report

    tokenizer = _tokenizer(arguments, model, architecture.vocab_size)
    tokens = _tokens(arguments, tokenizer)
    _refuse(tokens, architecture, model)
    backend = _backend(arguments, model)
    name = getattr(backend, "name", "reference")
    shows = getattr(backend, "shows", None)
    measured, kept = _shown(measured, shows, name), _shown(kept, shows, name)
    if getattr(backend, "interpreted", False):
        print_interpreted()
    with _keeping(arguments, model, tokens, kept, getattr(backend, "version", None)) as keep:
        traced = trace(backend, tokens, measured=measured, kept=kept, keep=keep)
    found = report(
        outline, traced, anomalies(traced.statistics),
        prompt=arguments.payload, tokenizer=tokenizer, backend=name,
        interpreted=getattr(backend, "interpreted", False),
    )  # fmt: skip
    if kept:
        found["saved"] = {
            "path": arguments.save_dir,
            "format": arguments.save_as or "aprt",
            "stages": len(kept),
        }
    return found


def _shown(asked: Mapping[StageKey, int], shows: frozenset[str] | None, name: str) -> Mapping[StageKey, int]:
    """Leave out what a back-end does not show; refuse where nothing would be left."""
    found = {key: features for key, features in asked.items() if shows is None or key[0] in shows}
    if asked and not found:
        stages = ", ".join(sorted({stage for stage, _ in asked}))
        raise ModelError(f"the back-end {name} does not show {stages}: nothing would be traced")
    return found


def _tokenizer(arguments: argparse.Namespace, model: Checkpoint, rows: int) -> Tokenizer | None:
    from pv_runtime.tokenizer import require_rows, tokenizer_in, tokenizer_of

    if arguments.tokenizer is not None:
        return require_rows(tokenizer_in(Path(arguments.tokenizer)), rows)
    folder = Path(arguments.model)
    try:
        return tokenizer_of(model, folder if folder.is_dir() else None, rows=rows)
    except LoadError:
        if arguments.token_ids is None:
            raise
        return None


def _tokens(arguments: argparse.Namespace, tokenizer: Tokenizer | None) -> list[int]:
    if arguments.token_ids is not None:
        return token_ids(arguments.token_ids)
    assert tokenizer is not None  # noqa: S101 - without one, there was an error
    return tokenizer.encode(arguments.payload)


def _refuse(tokens: Sequence[int], architecture: Architecture, model: Checkpoint) -> None:
    """Refuse, before anything is loaded, what would be refused or would not fit afterwards."""
    from pv_runtime.generate import check_prompt
    from pv_runtime.memory import require_memory

    check_prompt(tokens, architecture.max_positions, architecture.vocab_size)
    # Logits of all positions, and what is widened of them; scores of one layer's heads, and their softmax.
    count = len(tokens)
    needed = 8 * count * architecture.vocab_size + 8 * architecture.heads * count * count
    require_memory(needed, f"logits and scores of {count} tokens", model.path)


def _backend(arguments: argparse.Namespace, model: Checkpoint) -> Watched:
    import torch

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    dtype = getattr(torch, arguments.dtype)
    if arguments.backend != "reference" or arguments.device != "cpu":
        from pv_runtime.backends import open_backend

        return open_backend(arguments.backend, model, dtype=dtype, device=arguments.device)
    from pv_runtime.model import Decoder
    from pv_runtime.weights import load_weights

    return Decoder(load_weights(model, dtype=dtype, streamed=arguments.one_layer_at_a_time))


@contextlib.contextmanager
def _keeping(
    arguments: argparse.Namespace,
    model: Checkpoint,
    tokens: Sequence[int],
    kept: Mapping[StageKey, int],
    version: str | None,
) -> Iterator[Keep | None]:
    if not kept:
        yield None
        return
    import torch

    from pv_runtime import trace_writer
    from pv_runtime.trace_file import SAVED

    folder = Path(arguments.save_dir)
    trace_writer.make_room(folder, force=arguments.force)
    origin = _origin(arguments, model, tokens, version)
    if arguments.save_as != "safetensors":
        writer = trace_writer.aprt_folder(str(folder), origin)
    else:
        writer = trace_writer.safetensors_file(
            str(folder / SAVED), origin, kept, getattr(torch, arguments.dtype)
        )
    with writer as keep:
        yield keep


def _origin(
    arguments: argparse.Namespace, model: Checkpoint, tokens: Sequence[int], version: str | None
) -> TraceOrigin:
    from pv_runtime.origin import source_sha256, tool
    from pv_runtime.trace_origin import TraceOrigin

    path = Path(model.path).resolve()
    made_by = tool() if arguments.backend == "reference" else f"{tool()}, {arguments.backend} {version}"
    return TraceOrigin(
        tuple(tokens),
        dtype=arguments.dtype,
        model=f"{path.parent.name}/{path.name}",
        model_sha256=source_sha256(model),
        made_by=made_by,
    )
