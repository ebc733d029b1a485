"""One command, in the child: run it, read its metrics, record them."""

from __future__ import annotations

import hashlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pv.channel import Channel
from pv.check import CheckError, Metric, Value
from pv.json_pointer import PointerError, look_up, read_json
from pv.placeholders import PYTHONS, fill
from pv.worker import Recorder, Unavailable, report

__all__ = ["holes_of", "run_command", "samples_of"]

_OUTPUT_BYTES = 16 << 20
_FILE_BYTES = 64 << 20
_LINGER_SECONDS = 1.0


def run_command(job: Mapping[str, Any], descriptor: int) -> None:
    """Run the command of `job` and report on `descriptor`; never raises."""
    report(job, descriptor, _command)


def holes_of(job: Mapping[str, Any]) -> dict[str, str]:
    """Return what fills the holes of the job's texts."""
    roles = {role: spec["path"] for role, spec in job["roles"].items()}
    return {**roles, "scratch": job["scratch"], "seed": str(job["seed"]), "device": job["device"]}


def _command(job: Mapping[str, Any], channel: Channel) -> bool:
    values = holes_of(job)
    metrics = {
        name: Metric(name, unit, low, high, slack, kind)
        for name, unit, low, high, slack, kind in job["metrics"]
    }
    recorder = Recorder(job, channel, metrics)
    environment = _environment(job, values)
    program, *rest = job["words"]
    words = [_program(program, environment, job["project"]), *(fill(word, values) for word in rest)]
    status, output = _run(words, environment, job["project"])
    if status < 0:
        raise CheckError(f"{program} was ended by {_signal_name(-status)}")
    if status and not any(reading["metric"] == "exit_code" for reading in job["readings"]):
        raise CheckError(
            f"{program} ended with exit code {status}; declare the metric exit_code if a rule is to judge it"
        )
    documents: dict[str | None, Any] = {}
    for reading in job["readings"]:
        metric = metrics[reading["metric"]]
        for value, label in _read(reading, metric, status, output, values, job, documents):
            recorder.record(metric.name, value, label=label)
    return job["plant"] is not None


def _environment(job: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """Return the allow-listed variables that reached us, our own, and those that the clause declares."""
    return {
        **os.environ,
        # As the static closure has it; whatever is cached as bytecode may be older than its source.
        "PYTHONPATH": os.pathsep.join(job["search"]),
        "PYTHONPYCACHEPREFIX": job["scratch"],
        "TMPDIR": job["scratch"],
        **{name: fill(text, values) for name, text in job["environment"].items()},
    }


def _program(name: str, environment: Mapping[str, str], project: str) -> str:
    if name in PYTHONS:
        return sys.executable
    if "/" in name:
        return str(Path(project, name))
    found = shutil.which(name, path=environment.get("PATH", os.defpath))
    if found is None:
        raise Unavailable(f"there is no program {name} on PATH; install it")
    real = os.path.realpath(found)
    inside = Path(os.path.realpath(project))
    its_own = inside in Path(sys.prefix).parents and Path(real).is_relative_to(sys.prefix)
    if Path(real).is_relative_to(inside) and not its_own:
        shown = os.path.relpath(real, inside)
        raise CheckError(f"{name} is {shown} of the project, which evidence would not name; write its path")
    return found


def _run(words: list[str], environment: Mapping[str, str], project: str) -> tuple[int, bytes | None]:
    """Run `words` without a shell; return how it ended and what it printed, or None if that was too much."""
    try:
        # In our own process group, so that time, memory and the end of the run reach it.
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=project, env=environment
        )
    except (OSError, ValueError) as error:
        raise CheckError(f"{words[0]} cannot be run: {error}") from error
    if process.stdout is None:  # narrows the type: a pipe was asked for
        raise CheckError("no output pipe")
    kept: bytearray | None = bytearray()
    pipe = process.stdout.fileno()
    ended = 0.0
    while True:
        ready, _, _ = select.select([pipe], [], [], 0.05)
        if ready:
            piece = os.read(pipe, 1 << 16)
            if not piece:
                break
            _print(piece)
            if kept is not None:
                kept += piece
                kept = None if len(kept) > _OUTPUT_BYTES else kept
        elif process.poll() is not None:
            ended = ended or time.monotonic()
            if time.monotonic() - ended > _LINGER_SECONDS:
                raise CheckError(f"{words[0]} ended, but what it started still runs and holds its output")
    return process.wait(), None if kept is None else bytes(kept)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals has a name, all others none
        return f"signal {number}"


def _print(piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(1, view) :]


def _read(
    reading: Mapping[str, str | None],
    metric: Metric,
    status: int,
    output: bytes | None,
    values: Mapping[str, str],
    job: Mapping[str, Any],
    documents: dict[str | None, Any],
) -> Iterator[tuple[Value, str | None]]:
    if reading["sha256_of"] is not None:
        yield _digest(_inside(fill(reading["sha256_of"], values), reading["sha256_of"], job)), None
        return
    if reading["pointer"] is None:
        yield status, None
        return
    file = reading["file"]
    shown = "what it printed" if file is None else file
    try:
        if file not in documents:
            if file is not None:
                path = _inside(fill(file, values), file, job)
                if path.stat().st_size > _FILE_BYTES:
                    raise CheckError(f"{file} is larger than {_FILE_BYTES >> 20} MiB")
                documents[file] = read_json(path.read_bytes())
            elif output is None:
                raise CheckError(
                    f"it printed more than {_OUTPUT_BYTES >> 20} MiB, too much to be read as JSON"
                )
            else:
                documents[file] = read_json(output)
        yield from samples_of(look_up(documents[file], reading["pointer"]), metric)
    except PointerError as error:
        raise CheckError(f"metric {metric.name} cannot be read from {shown}: {error}") from error


def samples_of(value: Any, metric: Metric) -> Iterator[tuple[Value, str | None]]:
    """Yield the samples that a JSON value gives: one, or a series of a list or an object, labelled.

    Raises
    ------
    PointerError
        The value, or one in it, is not of the metric's kind.
    """
    if isinstance(value, dict):
        yield from ((_sample(one, metric, f" at {key!r}"), key) for key, one in value.items())
    elif isinstance(value, list):
        yield from ((_sample(one, metric, f" at {index}"), str(index)) for index, one in enumerate(value))
    else:
        yield _sample(value, metric, ""), None


def _sample(value: Any, metric: Metric, where: str) -> Value:
    if metric.kind == "text" and isinstance(value, str):
        return value
    if metric.kind == "count" and isinstance(value, int):
        return int(value)  # a truth counts as 1 or 0
    if metric.kind == "real" and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise PointerError(f"the number{where} is past what a float can hold") from None
    raise PointerError(f"the value{where} is {type(value).__name__}, and the metric a {metric.kind}")


def _inside(path: str, written: str, job: Mapping[str, Any]) -> Path:
    """Return `path`, which must be a file below the run's scratch folder or be of a subject."""
    real = os.path.realpath(path)
    places = [job["scratch"], *(spec["path"] for spec in job["roles"].values())]
    if not any(real == (place := os.path.realpath(p)) or real.startswith(place + os.sep) for p in places):
        raise CheckError(f"{written} leads out of the scratch folder")
    if not Path(real).is_file():
        raise CheckError(f"the command left no file {written}")
    return Path(real)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
