"""One check, one process: what runs in the child after the fork.

The child opens the roles, calls the check, and writes JSON lines to the result pipe: ``record``,
``progress``, and one last ``end`` or ``error``. Without ``end`` nothing was measured, however the
process ended: an ``os._exit(0)`` in a check is not a result.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import resource
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, TypeVar

from pv.bytecode import distrust_bytecode
from pv.channel import Channel
from pv.check import Check, CheckError, CounterExample, Dose, Metric, Value
from pv.closure import find_module
from pv.fence import Fence
from pv.given import Given
from pv.module_places import RealPaths, environment_of
from pv.reads import Reads
from pv.sample_value import plain

__all__ = [
    "Recorder",
    "Unavailable",
    "hidden_modules",
    "refuse_hidden_files",
    "report",
    "run_build",
    "run_check",
    "seed_generators",
    "watched",
]

T = TypeVar("T")
_PROGRESS_SECONDS = 0.1
_RECORD_SECONDS = 0.5


class Recorder:
    """The `Run` that a check is given."""

    def __init__(self, job: Mapping[str, Any], channel: Channel, metrics: Mapping[str, Metric]) -> None:
        self.seed: int = job["seed"]
        self.device: str = job["device"]
        self.level: str = job["level"]
        self.planted = False
        self._scratch: str = job["scratch"]
        self._channel = channel
        self._metrics = metrics
        self._undamaged: dict[str, Any] = {}
        self._plant: CounterExample | Dose | None = None
        self._fill: Callable[[Any], Any] | None = None
        self._told = 0.0
        self._sent = time.monotonic()
        self._drawn: frozenset[str] | None = None if job["drawn"] is None else frozenset(job["drawn"])
        self.narrowed = False

    def plant(self, counter_example: CounterExample | Dose, fill: Callable[[Any], Any]) -> None:
        """Arrange for `counter_example` to damage its role when that role passes."""
        self._plant = counter_example
        self._fill = fill

    def record(self, name: str, value: Value, *, label: str | None = None) -> None:
        """Send one sample, if it is declared and of its metric's kind."""
        metric = self._metrics.get(name)
        if metric is None:
            raise CheckError(f"metric {name!r} is recorded but not declared in @check(metrics=[...])")
        sample = plain(value)
        if (metric.kind == "text") != isinstance(sample, str):
            raise CheckError(f"metric {name!r} is declared {metric.kind}, recorded {type(value).__name__}")
        text = None if label is None else str(label)
        for word in (sample, text):
            if isinstance(word, str) and not word.isascii():
                _refuse_surrogates(name, word)
        now = time.monotonic()
        due = now - self._sent > _RECORD_SECONDS
        self._sent = now if due else self._sent
        self._channel.send({"record": [name, sample, text]}, now=due)

    def role(self, name: str, value: T) -> T:
        """Pass `value` through the role `name`, damaged if that is what is planted."""
        if name in self._undamaged:
            raise CheckError(f"role {name!r} passes twice")
        self._undamaged[name] = value
        if self._plant is not None and self._plant.of == name and self._fill is not None:
            self.planted = True
            self._channel.send({"planted": True}, now=True)
            damaged: T = self._fill(value)
            return damaged
        return value

    def undamaged(self, name: str) -> Any:
        """Return the role `name` as it came."""
        try:
            return self._undamaged[name]
        except KeyError:
            raise CheckError(f"role {name!r} has not passed yet") from None

    def progress(
        self, items: Iterable[T], total: int | None = None, *, label: Callable[[T], str] | None = None
    ) -> Iterator[T]:
        """Iterate over `items`, in an audit over those drawn, and tell the engine how far it came."""
        if total is None:
            total = len(items) if isinstance(items, Sized) else None
        if self._drawn is not None:
            if label is None:
                raise CheckError("the check iterates without a label, so that no part of it can be run alone")
            self.narrowed = True
            items, total = (item for item in items if label(item) in self._drawn), len(self._drawn)
        for done, item in enumerate(items):
            if time.monotonic() - self._told > _PROGRESS_SECONDS:
                self._told = time.monotonic()
                self._channel.send({"progress": [done, total]}, now=True)
            yield item

    def scratch(self) -> str:
        """Return the empty folder of this run."""
        return self._scratch


class Unavailable(Exception):  # noqa: N818  no error of the check: what it needs is not here
    """It cannot be judged here; the message says what is missing, and what to type."""


def report(
    job: Mapping[str, Any], descriptor: int, run: Callable[[Mapping[str, Any], Channel], bool]
) -> None:
    """Call `run`, and say on `descriptor` how it ended; never raises.

    `run` returns whether what was to be damaged or replaced was used.
    """
    channel = Channel(descriptor)
    started = time.monotonic()
    try:
        seed_generators(job["seed"])
        # The project itself may lie in an environment.
        outside = [e for e in environment_of(job["project"]) if not job["project"].startswith(e + os.sep)]
        distrust_bytecode(job["scratch"], outside)
        planted = run(job, channel)
    except BaseException as error:
        channel.send({"error": _describe(error)}, now=True)
    else:
        channel.send({"end": {"planted": planted, **_usage(started)}}, now=True)


def run_check(job: Mapping[str, Any], descriptor: int) -> None:
    """Run the check of `job` and report on `descriptor`; never raises."""
    report(job, descriptor, _check)


def run_build(job: Mapping[str, Any], descriptor: int) -> None:
    """Run the builder of `job` and report on `descriptor`; never raises."""
    report(job, descriptor, _build)


@contextlib.contextmanager
def watched(job: Mapping[str, Any]) -> Iterator[None]:
    """Run code of the project with its sources at hand, and refuse the run if that read what it may not.

    Raises
    ------
    CheckError
        Threads are left, or what was imported or read is not covered by the digests of `job`.
    """
    sys.path[:0] = job["sources"]
    os.environ["TMPDIR"] = tempfile.tempdir = job["scratch"]  # what is put there goes with the run
    reads = Reads(job["project"])
    Fence(job["project"], job["scratch"], network=job["network"])
    yield
    _refuse_threads()
    _refuse_hidden_inputs(job, reads.files())


def _check(job: Mapping[str, Any], channel: Channel) -> bool:
    with watched(job):
        return _measured(job, channel)


def _measured(job: Mapping[str, Any], channel: Channel) -> bool:
    check = _load_check(job)
    recorder = Recorder(job, channel, {metric.name: metric for metric in check.metrics})
    roles = {
        role: _resolve(spec["loader"])(Path(spec["path"])) for role, spec in sorted(job["roles"].items())
    }
    arguments = dict(job["arguments"])
    if job["plant"] is not None:
        values = {**roles, **arguments}
        planted = _plant(check, job["plant"], values) if job["dose"] is None else _dose(check, *job["dose"])
        recorder.plant(*planted)
    passed = {role: recorder.role(role, value) for role, value in roles.items()}
    check.function(Given(recorder), **passed, **arguments)
    if job["drawn"] is not None and not recorder.narrowed:
        raise CheckError("the check iterates over nothing with a label: no part of it can be run alone")
    return recorder.planted


def _build(job: Mapping[str, Any], _channel: Channel) -> bool:
    sys.path[:0] = job["sources"]
    reads = Reads(job["project"])
    _resolve(job["reference"])(job["source"]["path"], job["output"], **job["arguments"])
    if job["project"]:
        # Beside the output, it may write what it puts together, and read it again.
        beside = {"path": str(Path(job["output"]).parent), "files": []}
        _refuse_hidden_inputs({**job, "roles": {"source": job["source"], "output": beside}}, reads.files())
    if not Path(job["output"]).exists():
        raise CheckError(f"builder {job['reference']} returned without writing its output")
    return False


def _load_check(job: Mapping[str, Any]) -> Check[...]:
    check = _resolve(job["reference"])
    if not isinstance(check, Check):
        raise CheckError(f"{job['reference']} is not a check once imported")
    declared = [[m.name, m.unit, m.low, m.high, m.slack, m.kind] for m in check.metrics]
    if sorted(declared, key=str) != sorted(job["metrics"], key=str):
        raise CheckError(f"{job['reference']}: the imported metrics differ from those its source declares")
    return check


def _plant(
    check: Check[...], name: str, values: Mapping[str, Any]
) -> tuple[CounterExample, Callable[[Any], Any]]:
    counter_example = check.counter_examples.get(name)
    if counter_example is None:
        raise CheckError(f"counter-example {name!r} is not planted on the check")
    code = counter_example.damage.__code__
    wanted = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    defaults = counter_example.damage.__kwdefaults__ or {}
    unknown = [key for key in wanted if key not in values and key not in defaults]
    if unknown:
        raise CheckError(f"counter-example {name!r} asks for {unknown}, which the check does not have")
    keywords = {key: values[key] for key in wanted if key in values}

    def fill(value: Any) -> Any:
        return counter_example.damage(value, **keywords)

    return counter_example, fill


def _dose(check: Check[...], kind: str, amount: float, place: int) -> tuple[Dose, Callable[[Any], Any]]:
    dose = check.doses.get(kind)
    if dose is None:
        raise CheckError(f"the check declares no dose {kind!r}")
    return dose, lambda value: dose.damage(value, amount, place)


def _resolve(reference: str) -> Any:
    module, name = reference.split(":")
    return getattr(importlib.import_module(module), name)


def _refuse_surrogates(name: str, word: str) -> None:
    try:
        word.encode()
    except UnicodeEncodeError:
        raise CheckError(
            f"metric {name!r}: {word!r} is no Unicode text, so evidence cannot hold it"
        ) from None


def seed_generators(seed: int) -> None:
    """Seed every generator that is loaded; a check draws its own from ``run.seed``."""
    random.seed(seed)
    for module, function in (("numpy.random", "seed"), ("torch", "manual_seed")):
        if module in sys.modules:
            getattr(sys.modules[module], function)(seed)


def _usage(started: float) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": time.monotonic() - started, "peak_memory_bytes": peak}


def _describe(error: BaseException) -> dict[str, str]:
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be printed)"
    if isinstance(error, Unavailable):
        return {"kind": "declined", "why": text[:2000], "traceback": ""}
    kind = "memory" if isinstance(error, MemoryError) else "raised"
    return {
        "kind": kind,
        "why": f"{type(error).__name__}: {text}"[:2000],
        "traceback": "".join(traceback.format_exception(error))[-8000:],
    }


def _refuse_threads() -> None:
    """Refuse a run that is not over: what a thread would still record would be missing."""
    left = [t.name for t in threading.enumerate() if t is not threading.main_thread() and not t.daemon]
    if left:
        raise CheckError(f"the check returned while its threads {left} still run; join them")


def _refuse_hidden_inputs(job: Mapping[str, Any], read: set[str]) -> None:
    """Evidence names its inputs by digest: refuse a run that read others.

    Raises
    ------
    CheckError
        A project module was imported that static analysis cannot see, or a project file was read
        that is neither source nor subject.
    """
    sources = [Path(source) for source in job["sources"]]
    files = {os.path.realpath(path) for name in job["modules"] if (path := find_module(name, sources))}
    for name, hidden in hidden_modules(job, files):
        shown = os.path.relpath(hidden, job["project"])
        raise CheckError(
            f"module {name} ({shown}) was imported in a way that only running shows; import it by its name,"
            " from a folder that pv.toml names under [project] sources"
        )
    refuse_hidden_files(job, read, files)


def hidden_modules(job: Mapping[str, Any], files: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield name and file of what was imported from the project, or from its sources, and is none of `files`.

    It may have been imported before the job began: a project that is installed to be edited is found by the
    interpreter itself.
    """
    places = [os.path.realpath(place) + os.sep for place in (job["project"], *job["sources"]) if place]
    inside = [place + os.sep for place in environment_of(job["project"])]
    real_path = RealPaths()
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if not path:
            continue
        real = real_path(path)
        place = next((place for place in places if real.startswith(place)), None)
        if place is None or real in files or any(real.startswith(own) for own in inside):
            continue
        if not Path(real).exists():
            continue  # torch.ops and its like name a file that is relative to nothing
        # Another environment may lie in the project; the project itself may lie in anything.
        if not {"site-packages", ".venv"} & set(Path(real.removeprefix(place)).parts):
            yield name, real


def refuse_hidden_files(job: Mapping[str, Any], read: set[str], files: set[str]) -> None:
    """Refuse a run that `read` project files that are none of `files`, no subjects, and not of Python.

    Raises
    ------
    CheckError
        With the first of them.
    """
    files = files | {os.path.realpath(file) for role in job["roles"].values() for file in role["files"]}
    allowed = [os.path.realpath(job["scratch"]), *environment_of(job["project"])]
    for role in job["roles"].values():
        # A folder may be narrowed to some of its files: the others have no part in its digest.
        files.add(os.path.realpath(role["path"]))
        allowed += [] if role["files"] else [os.path.realpath(role["path"])]
    folders = {os.path.realpath(role["path"]): role for role in job["roles"].values() if role["files"]}
    for path in sorted(read - files):
        if any(path == place or path.startswith(place + os.sep) for place in allowed):
            continue
        within = [folder for folder in folders if path.startswith(folder + os.sep)]
        whole = any(not folders[folder]["narrowed"] for folder in within)
        if whole and (Path(path).is_dir() or not os.path.lexists(path)):
            continue  # the digest is that of all files there are: that this is none of them is part of it
        shown = os.path.relpath(path, job["project"])
        who = "builder" if job["kind"] == "build" else "check"
        if not within:
            raise CheckError(f"the {who} read {shown}, which evidence would not name; make it a subject")
        inside = max(within, key=len)
        subject = folders[inside]["subject"]
        raise CheckError(
            f"the {who} read {shown}, which the digest of subject {subject} does not cover; add"
            f" {os.path.relpath(path, inside)} to the `files` of [subjects.{subject}] in pv.toml, or name a"
            " subject that has it"
        )
