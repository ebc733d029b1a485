"""Stages that were saved come back as they were computed; files that contradict themselves are refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from pv.check import Metric, Run, check
from pv_runtime.checks.traces import Seen, draw_tokens, watch_all
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder
from pv_runtime.trace import chosen
from pv_runtime.trace_folder import open_folder
from pv_runtime.trace_origin import TraceOrigin
from pv_runtime.trace_writer import aprt_folder
from pv_runtime.weights import load_weights

__all__ = ["kept_stages"]

Write = Callable[[Path, TraceOrigin, Seen], None]


@check(
    metrics=[
        Metric("kept", unit="1", kind="count"),
        Metric("expected_kept", unit="1", kind="count"),
        Metric("read_back", unit="1", kind="count"),
        Metric("differing_bits", unit="1", kind="count"),
        Metric("wrong_header", unit="1", kind="count"),
        Metric("runs_differ", unit="1", kind="count"),
        Metric("nan_bits_kept", unit="1", kind="count"),
        Metric("damaged_accepted", unit="1", kind="count"),
        Metric("damaged", unit="1", kind="count"),
    ]
)
def kept_stages(run: Run, *, model: Checkpoint, stages: Sequence[str], layers: Sequence[int]) -> None:
    """Save `stages` of `layers` and those of the whole model as APRT files, twice, and read them back.

    `differing_bits` counts values read back whose bits are not those that were computed; `wrong_header`
    files that do not begin with ``APRT``, the layer (0xFFFFFFFF for the whole) and the count;
    `runs_differ` is 1 where the second run's files are other bytes. One value is made NaN with bits of
    its own: `nan_bits_kept` is 1 where they come back. `damaged_accepted` is 1 for each of `damaged`
    files, cut short, prolonged, of a false count or of another layer, that is read nevertheless.
    """
    decoder = Decoder(load_weights(model))
    write: Write = run.role("write", _write)
    tokens = draw_tokens(run, decoder.architecture.vocab_size, 9)
    origin = TraceOrigin(tuple(tokens), dtype="float32")
    wanted = chosen(decoder.architecture, stages, layers)
    _, seen = watch_all(decoder, tokens)
    values = {key: seen[key] for key in wanted}
    first = next(iter(values))
    values[first] = values[first].clone()
    values[first].view(torch.int32)[2, 3] = 0x7FC12345
    folders = [Path(run.scratch()) / name for name in ("first", "second")]
    for folder in folders:
        write(folder, origin, values)
    files = sorted(path.relative_to(folders[0]) for path in folders[0].rglob("*.bin"))
    run.record("kept", len(files))
    run.record("expected_kept", len(wanted))
    run.record("runs_differ", int(_digest(folders[0]) != _digest(folders[1])))
    found = open_folder(folders[0])
    for key in found.stages():
        label = f"{key[0]} {key[1]}"
        ours = found.values(*key)
        same = np.ascontiguousarray(ours).view(np.uint32) == values[key].numpy().view(np.uint32)
        run.record("differing_bits", int(same.size - same.sum()), label=label)
    run.record("read_back", len(found.stages()))
    kept = np.ascontiguousarray(found.values(*first)).view(np.uint32)[2, 3]
    run.record("nan_bits_kept", int(kept == 0x7FC12345))
    for file in files:
        layer = int(file.parts[0].removeprefix("layer-")) if len(file.parts) > 1 else 0xFFFFFFFF
        head = np.frombuffer((folders[0] / file).read_bytes()[:12], "<u4")
        count = ((folders[0] / file).stat().st_size - 12) // 4
        right = head.tolist() == [int.from_bytes(b"APRT", "little"), layer, count]
        run.record("wrong_header", int(not right), label=str(file))
    damages = _damages((folders[1] / files[0]).read_bytes())
    for label, damaged in damages.items():
        (folders[1] / files[0]).write_bytes(damaged)
        run.record("damaged_accepted", int(_opens(folders[1])), label=label)
    run.record("damaged", len(damages))


def _write(folder: Path, origin: TraceOrigin, values: Seen) -> None:
    with aprt_folder(str(folder), origin) as keep:
        for (stage, layer), each in values.items():
            keep(stage, layer, each)


def _digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    parts = [[str(file.relative_to(folder)), hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]
    return json.dumps(parts)


def _opens(folder: Path) -> bool:
    try:
        found = open_folder(folder)
        for key in found.stages():
            found.values(*key)
    except LoadError:
        return False
    return True


def _damages(whole: bytes) -> dict[str, bytes]:
    return {
        "cut short": whole[:-4],
        "cut inside the header": whole[:10],
        "prolonged": whole + bytes(4),
        "count too small": whole[:8] + (1).to_bytes(4, "little") + whole[12:],
        "another layer": whole[:4] + (7).to_bytes(4, "little") + whole[8:],
        "another magic": b"APRX" + whole[4:],
    }


@kept_stages.counter_example("kept_in_half", of="write")
def kept_in_half(write: Write) -> Write:
    """Keep values in half precision."""
    return lambda folder, origin, values: write(
        folder, origin, {key: each.half().float() for key, each in values.items()}
    )


@kept_stages.counter_example("nan_made_the_usual_one", of="write")
def nan_made_the_usual_one(write: Write) -> Write:
    """Write every NaN as the NaN that arithmetic gives."""

    def usual(folder: Path, origin: TraceOrigin, values: Seen) -> None:
        nan = torch.tensor(float("nan"))
        write(folder, origin, {key: torch.where(each.isnan(), nan, each) for key, each in values.items()})

    return usual


@kept_stages.counter_example("one_layer_left_out", of="write")
def one_layer_left_out(write: Write) -> Write:
    """Leave the last layer out."""

    def short(folder: Path, origin: TraceOrigin, values: Seen) -> None:
        last = max(layer for _, layer in values if layer is not None)
        write(folder, origin, {key: each for key, each in values.items() if key[1] != last})

    return short


@kept_stages.counter_example("layers_exchanged", of="write")
def layers_exchanged(write: Write) -> Write:
    """File the first layer's values under the last one's number, and the other way round."""

    def exchanged(folder: Path, origin: TraceOrigin, values: Seen) -> None:
        numbers = [layer for _, layer in values if layer is not None]
        other = {min(numbers): max(numbers), max(numbers): min(numbers)}
        write(
            folder,
            origin,
            {
                (stage, layer if layer is None else other[layer]): each
                for (stage, layer), each in values.items()
            },
        )

    return exchanged


@kept_stages.counter_example("time_of_writing_inside", of="write")
def time_of_writing_inside(write: Write) -> Write:
    """Write something of the moment into the folder: two runs of one thing are two things."""
    calls = 0

    def stamped(folder: Path, origin: TraceOrigin, values: Seen) -> None:
        nonlocal calls
        calls += 1
        write(folder, origin, values)
        (folder / "made").write_text(str(calls))

    return stamped
